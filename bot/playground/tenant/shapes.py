"""The Graph types of this tenant, cut down to what callers may set and what they may select.

Properties and types: microsoftgraph/msgraph-metadata, v1.0; which of them are read-only, how
long and how many: learn.microsoft.com/en-us/graph/api/resources/application and its neighbours.
"""

from bot.playground.tenant.checks import (
    Shape,
    binary,
    duration,
    filled_text,
    flag,
    guid,
    https_url,
    listed,
    nothing,
    number,
    one_of,
    record,
    text,
    timestamp,
    url_friendly,
)
from bot.playground.tenant.redirects import redirect_uri

MOST_REDIRECT_URIS = 256
MOST_RESOURCES = 50
AUDIENCES = (
    "AzureADMyOrg",
    "AzureADMultipleOrgs",
    "AzureADandPersonalMicrosoftAccount",
    "PersonalMicrosoftAccount",
)

_redirect_uris = listed(redirect_uri, at_most=MOST_REDIRECT_URIS)

_IMPLICIT = Shape(
    name="implicitGrantSettings",
    writable={"enableAccessTokenIssuance": flag, "enableIdTokenIssuance": flag},
)
_URI_SETTINGS = Shape(name="redirectUriSettings", writable={"index": number, "uri": redirect_uri})
_WEB = Shape(
    name="webApplication",
    writable={
        "homePageUrl": text(255),
        "logoutUrl": text(255),
        "redirectUris": _redirect_uris,
        "redirectUriSettings": listed(record(_URI_SETTINGS)),
        "implicitGrantSettings": record(_IMPLICIT),
    },
    never_null=frozenset({"redirectUris"}),
)
_REDIRECTING = Shape(
    name="publicClientApplication",
    writable={"redirectUris": _redirect_uris},
    never_null=frozenset({"redirectUris"}),
)
_ACCESS = Shape(
    name="resourceAccess",
    writable={"id": guid, "type": one_of("Role", "Scope")},
    never_null=frozenset({"id", "type"}),
)
_REQUIRED = Shape(
    name="requiredResourceAccess",
    writable={"resourceAppId": guid, "resourceAccess": listed(record(_ACCESS))},
    never_null=frozenset({"resourceAppId", "resourceAccess"}),
)
_APP_ROLE = Shape(
    name="appRole",
    writable={
        "id": guid,
        "allowedMemberTypes": listed(one_of("User", "Application")),
        "description": filled_text(1024),
        "displayName": filled_text(256),
        "isEnabled": flag,
        "value": text(120),
    },
    read_only=frozenset({"origin"}),
)
_SCOPE = Shape(
    name="permissionScope",
    writable={
        "id": guid,
        "adminConsentDescription": text(1024),
        "adminConsentDisplayName": text(256),
        "isEnabled": flag,
        "type": one_of("User", "Admin"),
        "userConsentDescription": text(1024),
        "userConsentDisplayName": text(256),
        "value": text(120),
    },
    read_only=frozenset({"origin"}),
)
_PRE_AUTHORIZED = Shape(
    name="preAuthorizedApplication",
    writable={"appId": guid, "delegatedPermissionIds": listed(guid)},
)
_API = Shape(
    name="apiApplication",
    writable={
        "acceptMappedClaims": flag,
        "knownClientApplications": listed(guid),
        "oauth2PermissionScopes": listed(record(_SCOPE)),
        "preAuthorizedApplications": listed(record(_PRE_AUTHORIZED)),
        "requestedAccessTokenVersion": number,
    },
    never_null=frozenset({"oauth2PermissionScopes"}),
)
_INFO = Shape(
    name="informationalUrl",
    writable={
        name: text(2048)
        for name in ("marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl")
    },
    read_only=frozenset({"logoUrl"}),
)
_AUTHENTICATION = Shape(
    name="authenticationBehaviors",
    writable={
        "blockAzureADGraphAccess": flag,
        "removeUnverifiedEmailClaim": flag,
        "requireClientServicePrincipal": flag,
    },
)
KEY_CREDENTIAL = Shape(
    name="keyCredential",
    writable={
        "customKeyIdentifier": binary,
        "displayName": text(256),
        "endDateTime": timestamp,
        "key": binary,
        "keyId": guid,
        "startDateTime": timestamp,
        "type": one_of("AsymmetricX509Cert", "X509CertAndPassword"),
        "usage": one_of("Sign", "Verify"),
    },
)
PASSWORD_CREDENTIAL = Shape(
    name="passwordCredential",
    writable={"displayName": text(256), "endDateTime": timestamp, "startDateTime": timestamp},
    # The service chooses these; a caller that sends one is refused.
    read_only=frozenset({"customKeyIdentifier", "hint", "keyId", "secretText"}),
)
APPLICATION = Shape(
    name="application",
    writable={
        "api": record(_API),
        "appRoles": listed(record(_APP_ROLE)),
        "authenticationBehaviors": record(_AUTHENTICATION),
        "defaultRedirectUri": redirect_uri,
        "description": text(1024),
        "displayName": filled_text(256),
        "groupMembershipClaims": one_of(
            "None", "SecurityGroup", "All", "DirectoryRole", "ApplicationGroup"
        ),
        "identifierUris": listed(text(255), at_most=50),
        "info": record(_INFO),
        "isDeviceOnlyAuthSupported": flag,
        "isFallbackPublicClient": flag,
        "keyCredentials": listed(record(KEY_CREDENTIAL)),
        "notes": text(1024),
        "oauth2RequirePostResponse": flag,
        "passwordCredentials": listed(record(PASSWORD_CREDENTIAL)),
        "publicClient": record(_REDIRECTING),
        "requiredResourceAccess": listed(record(_REQUIRED), at_most=MOST_RESOURCES),
        "serviceManagementReference": text(256),
        "signInAudience": one_of(*AUDIENCES),
        "spa": record(_REDIRECTING),
        "tags": listed(filled_text(256)),
        "uniqueName": filled_text(128),
        "web": record(_WEB),
    },
    read_only=frozenset(
        {
            "id",
            "appId",
            "applicationTemplateId",
            "certification",
            "createdByAppId",
            "createdDateTime",
            "deletedDateTime",
            "disabledByMicrosoftStatus",
            "isDisabled",
            "publisherDomain",
            "verifiedPublisher",
        }
    ),
    never_null=frozenset(
        {"displayName", "signInAudience", "tags", "requiredResourceAccess", "uniqueName"}
        | {"api", "appRoles", "identifierUris", "info", "keyCredentials"}
        | {"publicClient", "spa", "web"}
    ),
)
SERVICE_PRINCIPAL = Shape(
    name="servicePrincipal",
    writable={
        "accountEnabled": flag,
        "alternativeNames": listed(text(256)),
        "appId": guid,
        "appRoleAssignmentRequired": flag,
        "description": text(1024),
        "displayName": filled_text(256),
        "homepage": text(255),
        "loginUrl": text(255),
        "notes": text(1024),
        "notificationEmailAddresses": listed(text(256)),
        "preferredSingleSignOnMode": one_of("password", "saml", "notSupported", "oidc", "external"),
        "tags": listed(filled_text(256)),
    },
    read_only=frozenset(
        {
            "id",
            "appDescription",
            "appDisplayName",
            "appOwnerOrganizationId",
            "appRoles",
            "applicationTemplateId",
            "createdByAppId",
            "deletedDateTime",
            "disabledByMicrosoftStatus",
            "info",
            "isDisabled",
            "keyCredentials",
            "logoutUrl",
            "oauth2PermissionScopes",
            "passwordCredentials",
            "replyUrls",
            "resourceSpecificApplicationPermissions",
            "servicePrincipalNames",
            "servicePrincipalType",
            "signInAudience",
            "tokenEncryptionKeyId",
            "verifiedPublisher",
        }
    ),
    never_null=frozenset({"appId", "accountEnabled", "displayName", "tags"}),
)
FEDERATED_CREDENTIAL = Shape(
    name="federatedIdentityCredential",
    writable={
        "audiences": listed(filled_text(600), at_most=1),
        "description": text(600),
        "issuer": https_url(600),
        "name": url_friendly(3, 120),
        "subject": filled_text(600),
    },
    read_only=frozenset({"id"}),
    never_null=frozenset({"audiences", "issuer", "name", "subject"}),
)
ASSIGNMENT = Shape(
    name="appRoleAssignment",
    writable={"appRoleId": guid, "principalId": guid, "resourceId": guid},
    read_only=frozenset(
        {
            "id",
            "createdDateTime",
            "deletedDateTime",
            "principalDisplayName",
            "principalType",
            "resourceDisplayName",
        }
    ),
    never_null=frozenset({"appRoleId", "principalId", "resourceId"}),
)
_PASSWORD_RESTRICTION = Shape(
    name="passwordCredentialConfiguration",
    writable={
        "excludeActors": nothing,
        "maxLifetime": duration,
        "restrictForAppsCreatedAfterDateTime": timestamp,
        "restrictionType": one_of(
            *("passwordAddition", "passwordLifetime", "symmetricKeyAddition"),
            *("symmetricKeyLifetime", "customPasswordAddition"),
        ),
        "state": one_of("enabled", "disabled"),
    },
    never_null=frozenset({"restrictionType"}),
)
_KEY_RESTRICTION = Shape(
    name="keyCredentialConfiguration",
    writable={
        **_PASSWORD_RESTRICTION.writable,
        "restrictionType": one_of("asymmetricKeyLifetime"),
    },
    never_null=frozenset({"restrictionType"}),
)
_RESTRICTIONS = Shape(
    name="customAppManagementConfiguration",
    writable={
        "applicationRestrictions": nothing,
        "keyCredentials": listed(record(_KEY_RESTRICTION)),
        "passwordCredentials": listed(record(_PASSWORD_RESTRICTION)),
    },
    never_null=frozenset({"keyCredentials", "passwordCredentials"}),
)
APP_POLICY = Shape(
    name="appManagementPolicy",
    writable={
        "description": filled_text(1024),
        "displayName": filled_text(256),
        "isEnabled": flag,
        "restrictions": record(_RESTRICTIONS),
    },
    read_only=frozenset({"id", "deletedDateTime"}),
    never_null=frozenset({"description", "displayName", "isEnabled", "restrictions"}),
)
GRANT = Shape(
    name="oAuth2PermissionGrant",
    writable={
        "clientId": guid,
        "consentType": one_of("AllPrincipals", "Principal"),
        "principalId": guid,
        "resourceId": guid,
        "scope": text(),
    },
    read_only=frozenset({"id"}),
    never_null=frozenset({"clientId", "consentType", "resourceId"}),
)
