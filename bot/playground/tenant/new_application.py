"""What Graph answers for an application that was given nothing but its existence.

Defaults: the example answers of learn.microsoft.com/graph/api/application-post-applications.
"""

from typing import Any

from bot.playground.tenant.directory import Directory

_UNSET = (
    "applicationTemplateId",
    "defaultRedirectUri",
    "deletedDateTime",
    "description",
    "disabledByMicrosoftStatus",
    "displayName",
    "groupMembershipClaims",
    "isDeviceOnlyAuthSupported",
    "isFallbackPublicClient",
    "nativeAuthenticationApisEnabled",
    "notes",
    "optionalClaims",
    "samlMetadataUrl",
    "serviceManagementReference",
    "tokenEncryptionKeyId",
    "uniqueName",
)
_EMPTY = (
    "addIns",
    "appRoles",
    "identifierUris",
    "keyCredentials",
    "passwordCredentials",
    "requiredResourceAccess",
    "tags",
)
_INFO = ("logoUrl", "marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl")
_PUBLISHER = ("addedDateTime", "displayName", "verifiedPublisherId")


def blank_application(directory: Directory, *, id: str, creator: str | None) -> dict[str, Any]:
    return {
        "id": id,
        "appId": directory.new_id(),
        "createdByAppId": creator,
        "createdDateTime": directory.stamp(),
        "publisherDomain": directory.initial_domain,
        # The documented answers show this default, whatever the property's text says.
        "signInAudience": "AzureADandPersonalMicrosoftAccount",
        **dict.fromkeys(_UNSET),
        **{name: [] for name in _EMPTY},
        **_complex(),
    }


def _complex() -> dict[str, Any]:
    return {
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "info": dict.fromkeys(_INFO),
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "publicClient": {"redirectUris": []},
        "spa": {"redirectUris": []},
        "verifiedPublisher": dict.fromkeys(_PUBLISHER),
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {
                "enableAccessTokenIssuance": False,
                "enableIdTokenIssuance": False,
            },
            "redirectUriSettings": [],
        },
    }
