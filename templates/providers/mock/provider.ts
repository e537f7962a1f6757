import { MockProvider } from "llm-etl/llm/providers/mock";

// A model in this process: no key, no cost, the same answers in every run. They have the right form; for the right
// content ask a real model, as with new AzureOpenAIProvider() of llm-etl/llm/providers/azure-openai.
export default new MockProvider();
