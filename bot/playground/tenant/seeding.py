"""The people of the tenant: made up, and the same for the same seed."""

import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any

_GIVEN = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Alan", "Frances", "Dennis")
_FAMILY = ("Adler", "Berg", "Dahl", "Evans", "Garcia", "Hansen", "Ito", "Moreau", "Okafor", "Xu")
_TEAMS = ("Sales", "Support", "Finance", "Legal", "Kitchen", "Security", "Payroll", "Design")


@dataclass(kw_only=True)
class People:
    """Users, groups, and who is a member of what; they do not lag."""

    users: list[dict[str, Any]] = field(repr=False)
    groups: list[dict[str, Any]] = field(repr=False)
    members: dict[str, list[str]] = field(repr=False)


def seeded(random: Random, *, users: int, groups: int, domain: str, initial_domain: str) -> People:
    """Every 20th user is disabled, every 25th a guest, every 33rd has no mail."""
    people = [_user(random, number, domain, initial_domain) for number in range(users)]
    teams = [_group(random, number, domain) for number in range(groups)]
    ids = [person["id"] for person in people]
    members = {
        team["id"]: random.sample(ids, min(len(ids), random.randrange(1, 40))) for team in teams
    }
    return People(users=people, groups=teams, members=members if ids else {})


def new_id(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _user(random: Random, number: int, domain: str, initial_domain: str) -> dict[str, Any]:
    given = _GIVEN[number % len(_GIVEN)]
    family = _FAMILY[number // len(_GIVEN) % len(_FAMILY)]
    alias = f"{given}.{family}{number}".lower()
    guest = number % 25 == 24
    mail = None if number % 33 == 32 else f"{alias}@{'partner.example' if guest else domain}"
    name = f"{alias}_partner.example#EXT#@{initial_domain}" if guest else f"{alias}@{domain}"
    return {
        "id": new_id(random),
        "accountEnabled": number % 20 != 19,
        "businessPhones": [],
        "createdDateTime": "2024-05-01T08:00:00Z",
        "department": _TEAMS[number % len(_TEAMS)],
        "displayName": f"{given} {family}",
        "givenName": given,
        "jobTitle": None,
        "mail": mail,
        "mailNickname": alias,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "proxyAddresses": [f"SMTP:{mail}", f"smtp:{alias}@{initial_domain}"] if mail else [],
        "surname": family,
        "userPrincipalName": name,
        "userType": "Guest" if guest else "Member",
    }


def _group(random: Random, number: int, domain: str) -> dict[str, Any]:
    team = f"{_TEAMS[number % len(_TEAMS)]} {number}"
    alias = team.replace(" ", "-").lower()
    mailed = number % 3 != 0
    return {
        "id": new_id(random),
        "createdDateTime": "2024-05-01T08:00:00Z",
        "description": f"Everybody in {team}",
        "displayName": team,
        "groupTypes": ["Unified"] if number % 3 == 1 else [],
        "mail": f"{alias}@{domain}" if mailed else None,
        "mailEnabled": mailed,
        "mailNickname": alias,
        "proxyAddresses": [f"SMTP:{alias}@{domain}"] if mailed else [],
        "securityEnabled": number % 3 != 1,
        "visibility": None,
    }
