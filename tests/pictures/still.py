"""Make two runs of the story look alike: ids, times and secrets become made-up ones in the page.

What differs from run to run is drawn at random or told by a clock. Each such text is replaced, in
the page's own DOM, by one of the same length and kind, before a picture is taken.
"""

from typing import Any

STILL = """
() => {
  const CHANGES = [
    [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "274eb2cb-5898-4cbf-b3a5-c43462bc9481"],
    [/\\baad-setup:[0-9a-f]{12}\\b/g, "aad-setup:f867fcdbf3df"],
    [/\\bAAD-[0-9A-Z]{4}\\b/g, "AAD-7K3F"],
    [/\\b[0-9a-f]{16}\\b/g, "c0165adce61935a7"],
    [/^[\\w~.-]{40}$/g, "7Ai8Q~Dd.PhAnMCwDx45eBthCDm50uPfheDCGApU"],
    [/^[\\w~.-]{3}(?=•{8})/g, "7Ai"],
    [/\\b\\d{1,2}:\\d{2}:\\d{2}\\b/g, "09:41:00"],
    [/\\b\\d{1,2}:\\d{2} [AP]M\\b/g, "9:41 AM"],
    [/\\b\\d{2}:\\d{2} UTC\\b/g, "09:41 UTC"],
    [/ steps done (after|in) \\d+ s$/g, " steps done"],
  ];
  const clock = document.querySelector("#clock");
  clock?.replaceWith(clock.cloneNode(true)); // else the next second is written into it
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const text = CHANGES.reduce((text, [from, to]) => text.replace(from, to), node.data);
    if (text !== node.data) node.data = text;
  }
  for (const labelled of document.querySelectorAll("[aria-label]")) {
    labelled.ariaLabel = labelled.ariaLabel.replace(/\\bAAD-[0-9A-Z]{4}\\b/, "AAD-7K3F");
  }
  for (const input of document.querySelectorAll("input")) {
    input.value = input.value.replace(...CHANGES[0]);
  }
  document.activeElement?.blur();
}
"""


async def be_still(page: Any) -> None:
    """Replace what differs from run to run, and take focus and mouse from the last click."""
    await page.mouse.move(0, 0)
    await page.evaluate(STILL)
