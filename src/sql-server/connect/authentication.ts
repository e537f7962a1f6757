import type { config as DriverConfig } from "mssql";
import type { EntraTokenCredential } from "./connection-options.ts";
import type { ConnectionValues } from "./connection-values.ts";
import type { Invalid } from "./connection-string.ts";

export type DriverAuthentication = NonNullable<DriverConfig["authentication"]>;

export interface AuthenticationContext {
  readonly tokenCredential: EntraTokenCredential | undefined;
  readonly encrypted: boolean;
  /** For a setting that is missing altogether. */
  readonly invalid: Invalid;
}

/**
 * The login: a name and a password, or an identity of Microsoft Entra ID, as `Authentication` says or by the `tokenCredential`,
 * which carries out every form of Entra ID.
 *
 * @throws an error for a form that needs a `tokenCredential` and has none, and for what the others lack
 */
export function authenticationFor(values: ConnectionValues, context: AuthenticationContext): DriverAuthentication {
  const { tokenCredential, encrypted } = context;
  const form = values.oneOf("authentication", forms);
  const isEntra = tokenCredential !== undefined || (form !== undefined && form !== "password");
  if (isEntra && !encrypted) {
    throw values.invalid("encrypt", "a token of Microsoft Entra ID goes through encrypted connections only", {
      hint: "write yes",
    });
  }
  if (tokenCredential !== undefined) {
    if (form === "password" || hasLogin(values)) {
      throw context.invalid("it names a login beside the option tokenCredential", { hint: "keep one of the two" });
    }
    return { type: "token-credential", options: { credential: tokenCredential } };
  }
  if (form === undefined || form === "password") return passwordLogin(values, context.invalid);
  if ("hint" in form) throw values.invalid("authentication", "the driver can't do this by itself", form);
  return form.login(values);
}

interface EntraForm {
  readonly login: (values: ConnectionValues) => DriverAuthentication;
}

const defaultLogin: EntraForm = {
  login: (values) => ({ type: "azure-active-directory-default", options: identityOptions(values) }),
};
const managedIdentity: EntraForm = {
  // The driver treats this type and that for App Service alike: it leaves to @azure/identity where the token comes from.
  login: (values) => ({ type: "azure-active-directory-msi-vm", options: identityOptions(values) }),
};
const forms: Readonly<Record<string, "password" | EntraForm | { readonly hint: string }>> = {
  "Sql Password": "password",
  "Active Directory Default": defaultLogin,
  "Active Directory Managed Identity": managedIdentity,
  "Active Directory MSI": managedIdentity,
  "Active Directory Service Principal": { login: servicePrincipalLogin },
  "Active Directory Password": { login: entraPasswordLogin },
  "Active Directory Integrated": throughCredential("AzureCliCredential()"),
  "Active Directory Interactive": throughCredential("InteractiveBrowserCredential({ … })"),
  "Active Directory Device Code Flow": throughCredential("DeviceCodeCredential({ … })"),
  "Active Directory Workload Identity": throughCredential("WorkloadIdentityCredential()"),
};

function throughCredential(credential: string): { readonly hint: string } {
  const option = `tokenCredential: new ${credential} of @azure/identity`;
  return { hint: `give the option ${option}, or write Active Directory Default` };
}

function hasLogin(values: ConnectionValues): boolean {
  return values.text("user") !== undefined || values.text("password") !== undefined;
}

function passwordLogin(values: ConnectionValues, invalid: Invalid): DriverAuthentication {
  const userName = values.text("user");
  const password = values.text("password");
  if (userName === undefined && password === undefined) {
    const hint =
      "write User ID=<login>;Password=<password>, or Authentication=Active Directory Default, or give the option tokenCredential";
    throw invalid("it names no login", { hint });
  }
  if (userName === undefined) throw invalid("it has a password and no login", { hint: 'write "User ID=<login>"' });
  if (password === undefined)
    throw invalid("it has a login and no password (or a blank one)", { hint: 'write "Password=<password>"' });
  if (userName.includes("\\")) {
    throw values.invalid("user", "the driver can't log in with a Windows account", {
      hint: "write the name of a SQL login",
    });
  }
  return { type: "default", options: { userName, password } };
}

function identityOptions(values: ConnectionValues): { clientId?: string } {
  if (values.text("password") !== undefined)
    throw values.invalid("password", "this Authentication takes none", { hint: "take it out" });
  const clientId = values.text("user") ?? values.text("clientId");
  return clientId === undefined ? {} : { clientId };
}

function servicePrincipalLogin(values: ConnectionValues): DriverAuthentication {
  const clientId = values.text("user");
  const clientSecret = values.text("password");
  const tenantId = values.text("tenantId");
  if (clientId !== undefined && clientSecret !== undefined && tenantId !== undefined) {
    return { type: "azure-active-directory-service-principal-secret", options: { clientId, clientSecret, tenantId } };
  }
  throw values.invalid("authentication", "a service principal lacks its login", {
    hint:
      "write User ID=<client id>;Password=<secret>;Tenant Id=<tenant>, or give the option tokenCredential: " +
      "new ClientSecretCredential(…) or ClientCertificateCredential(…) of @azure/identity",
  });
}

function entraPasswordLogin(values: ConnectionValues): DriverAuthentication {
  const userName = values.text("user");
  const password = values.text("password");
  const clientId = values.text("clientId");
  const tenantId = values.text("tenantId") ?? "common";
  if (userName !== undefined && password !== undefined && clientId !== undefined) {
    return { type: "azure-active-directory-password", options: { userName, password, clientId, tenantId } };
  }
  throw values.invalid("authentication", "a password of Entra ID lacks its login", {
    hint:
      "write User ID, Password and Client Id=<an app registration that allows it>; " +
      "better write Active Directory Default, or give the option tokenCredential",
  });
}
