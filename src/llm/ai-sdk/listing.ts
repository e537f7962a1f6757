import type { PriceListing } from "../../contracts/prices.ts";

/** The sellers, by the id of the AI SDK's provider or its part before the dot, where that says who sells the tokens. */
const sellers: Readonly<Record<string, string>> = {
  openai: "openai",
  azure: "azure",
  "azure-openai": "azure",
  anthropic: "anthropic",
  "google.generative-ai": "google",
  mistral: "mistral",
  groq: "groq",
  deepseek: "deepseek",
  xai: "x-ai",
};

/** The place in a price list of an AI SDK model. Azure's is known by the name of its deployment, which is no model's. */
export function aiSdkListing(provider: string, modelId: string): PriceListing | undefined {
  const [first = ""] = provider.split(".", 1);
  const name = Object.hasOwn(sellers, provider) ? provider : first;
  const seller = Object.hasOwn(sellers, name) ? sellers[name] : undefined;
  if (seller === undefined) return undefined;
  return seller === "azure" ? { seller, deployment: modelId } : { seller, model: modelId };
}
