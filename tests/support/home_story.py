"""The App Home, as users read it."""

from tests.support.story import Story


def seen(story: Story, person: str) -> str:
    """Return somebody's Home as they read it."""
    return story.workspace.text_of(
        story.workspace.home_of(person) or {"type": "home", "blocks": []}
    )


async def opened(story: Story, person: str) -> str:
    await story.workspace.open_home(person)
    await story.until(lambda: story.workspace.home_of(person))
    return seen(story, person)


def part(home: str, title: str) -> str:
    """Return what stands below a title, up to the next one."""
    titles = ("Waiting for you", "Your registrations", "Secrets about", "What happened", "How the")
    lines = home[home.index(title) :].splitlines()
    end = next((i for i, line in enumerate(lines) if i and line.startswith(titles)), len(lines))
    return "\n".join(lines[:end])
