import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";

// Endpoint, key and deployment are those of the environment variables AZURE_OPENAI_*: .env.example has their names.
// For Entra ID instead of a key: new AzureOpenAIProvider({ tokenProvider: entraTokenProvider() }), after npm install @azure/identity
export default new AzureOpenAIProvider();
