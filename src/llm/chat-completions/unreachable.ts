import type { Unreachable } from "../provider-error.ts";

/** The part of the address that may be wrong, by the code of an error of Node or undici. Undefined where the network may be at fault. */
export function unreachableOf(code: string | undefined): Unreachable | undefined {
  if (code === undefined) return undefined;
  if (code === "ENOTFOUND") return "host"; // EAI_AGAIN is a name server that can't answer for now
  if (code === "ECONNREFUSED") return "port";
  return isCertificate(code) || otherProtocol.test(code) ? "protocol" : undefined;
}

/** True for a certificate that does not prove who the server is, or is not trusted. */
export function isCertificate(code: string): boolean {
  return certificate.test(code) || codesOfCertificates.has(code);
}

/** A server that speaks no TLS, another version of it, or no HTTP. */
const otherProtocol = /^(?:ERR_SSL_|EPROTO$|HPE_INVALID_(?:CONSTANT|VERSION)$)/;
const certificate = /^(?:CERT_|CRL_|UNABLE_TO_|ERR_TLS_CERT_)/;
const codesOfCertificates = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "SELF_SIGNED_CERT_IN_CHAIN",
]);
