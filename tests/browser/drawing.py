"""Let the page's own renderer draw payloads, without anything around them."""

from typing import Any

from tests.browser.window import Window

DRAW = """
async ([payloads, folder]) => {
  const { renderBlocks } = await import(new URL("blocks/index.js", folder));
  const context = { names: {}, zone: "Europe/Madrid", now: Date.UTC(2026, 10, 30), act: null };
  const problems = [];
  for (const [index, { blocks }] of payloads.entries()) {
    try {
      const drawn = renderBlocks(blocks, context);
      const shown = drawn.querySelectorAll("script, style, iframe, object, [onclick], [onerror]");
      if (shown.length) problems.push([index, `it holds ${shown[0].outerHTML}`]);
      if (blocks.length && !drawn.childElementCount) problems.push([index, "nothing is drawn"]);
    } catch (error) {
      problems.push([index, `${error.name}: ${error.message}`]);
    }
  }
  return problems;
}
"""


async def problems(window: Window, payloads: list[dict[str, Any]]) -> dict[int, str]:
    """Draw each payload; return why those that cannot be drawn are refused, by their place."""
    folder = await window.page.evaluate("new URL('static/', location.href.split('#')[0]).href")
    found = await window.page.evaluate(DRAW, [payloads, folder])
    return dict(found)
