import type { FormerProvider } from "../../contracts/provider.ts";
import type { ChatFormat } from "./body.ts";

/** The text of a provider of a chat completions API for the keys of answers. */
export interface ServiceFingerprints {
  readonly fingerprint: string;
  /** As version 0.1 had it; undefined where it asked alike. */
  readonly former: FormerProvider | undefined;
}

/** The fingerprint of a service, by what its provider knows it by, and of the form in which it is asked. The tier is no part of it. */
export function fingerprintsOf(
  service: Readonly<Record<string, string>>,
  { dialect, reasoning, extraBody, describesSchema }: ChatFormat,
): ServiceFingerprints {
  const { service_tier: _, ...fields } = extraBody ?? {};
  const settings = {
    ...service,
    dialect,
    reasoning: reasoning ?? null,
    ...(Object.keys(fields).length === 0 ? {} : { extraBody: fields }),
  };
  const fingerprint = JSON.stringify(settings);
  if (!describesSchema) return { fingerprint, former: undefined };
  const difference = "the model is told in the prompt which fields its reply has (describeSchema)";
  return { fingerprint: JSON.stringify({ ...settings, describeSchema: true }), former: { fingerprint, difference } };
}
