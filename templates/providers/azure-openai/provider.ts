import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";

// Endpoint, key and deployment are those of the environment variables AZURE_OPENAI_*: .env.example has their names.
// For Entra ID instead of a key: new AzureOpenAIProvider({ tokenProvider: entraTokenProvider() }), after npm install @azure/identity
// Costs are counted by list prices. With { model: "gpt-4.1-mini" }, the model behind the deployment, they are known from the first call on, and --max-cost can hold.
export default new AzureOpenAIProvider();
