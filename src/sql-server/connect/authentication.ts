import type { config as DriverConfig } from "mssql";
import type { EntraTokenCredential } from "./connection-options.ts";
import type { ConnectionValues } from "./connection-values.ts";
import type { Refuse } from "./connection-string.ts";

export type DriverAuthentication = NonNullable<DriverConfig["authentication"]>;

export interface AuthenticationContext {
  readonly tokenCredential: EntraTokenCredential | undefined;
  readonly encrypted: boolean;
  /** For a setting that is missing altogether. */
  readonly refuse: Refuse;
}

/**
 * How to log in: with a name and a password, or as an identity of Microsoft Entra ID, by what stands under `Authentication` or
 * by the `tokenCredential`, which carries out every form of Entra ID.
 *
 * @throws an error for a form that can't be carried out without one, and for what is missing to the others
 */
export function authenticationFor(values: ConnectionValues, context: AuthenticationContext): DriverAuthentication {
  const { tokenCredential, encrypted } = context;
  const form = values.oneOf("authentication", forms);
  const isEntra = tokenCredential !== undefined || (form !== undefined && form !== "password");
  if (isEntra && !encrypted) {
    throw values.refusal("encrypt", "a token of Microsoft Entra ID goes through encrypted connections only; write yes");
  }
  if (tokenCredential !== undefined) {
    if (form === "password" || hasLogin(values)) {
      throw context.refuse("it names a login beside the option tokenCredential; keep one of the two");
    }
    return { type: "token-credential", options: { credential: tokenCredential } };
  }
  if (form === undefined || form === "password") return passwordLogin(values, context.refuse);
  if ("instead" in form) throw values.refusal("authentication", form.instead);
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
const forms: Readonly<Record<string, "password" | EntraForm | { readonly instead: string }>> = {
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

function throughCredential(credential: string): { readonly instead: string } {
  return {
    instead:
      "the driver can't do this by itself; give the option " +
      `tokenCredential: new ${credential} of @azure/identity, or write Active Directory Default`,
  };
}

function hasLogin(values: ConnectionValues): boolean {
  return values.text("user") !== undefined || values.text("password") !== undefined;
}

function passwordLogin(values: ConnectionValues, refuse: Refuse): DriverAuthentication {
  const userName = values.text("user");
  const password = values.text("password");
  if (userName === undefined && password === undefined) {
    throw refuse(
      "it names no login; write User ID=<login>;Password=<password>, or Authentication=Active Directory Default, " +
        "or give the option tokenCredential",
    );
  }
  if (userName === undefined) throw refuse('it has a password and no login; write "User ID=<login>"');
  if (password === undefined)
    throw refuse('it has a login and no password (or a blank one); write "Password=<password>"');
  if (userName.includes("\\")) {
    throw values.refusal("user", "the driver can't log in with a Windows account; expected the name of a SQL login");
  }
  return { type: "default", options: { userName, password } };
}

function identityOptions(values: ConnectionValues): { clientId?: string } {
  if (values.text("password") !== undefined)
    throw values.refusal("password", "this Authentication takes none; take it out");
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
  throw values.refusal(
    "authentication",
    "a service principal needs User ID=<client id>;Password=<secret>;Tenant Id=<tenant>, " +
      "or the option tokenCredential: new ClientSecretCredential(…) or ClientCertificateCredential(…) of @azure/identity",
  );
}

function entraPasswordLogin(values: ConnectionValues): DriverAuthentication {
  const userName = values.text("user");
  const password = values.text("password");
  const clientId = values.text("clientId");
  const tenantId = values.text("tenantId") ?? "common";
  if (userName !== undefined && password !== undefined && clientId !== undefined) {
    return { type: "azure-active-directory-password", options: { userName, password, clientId, tenantId } };
  }
  throw values.refusal(
    "authentication",
    "a password of Entra ID needs User ID, Password and Client Id=<an app registration that allows it>; " +
      "better write Active Directory Default, or give the option tokenCredential",
  );
}
