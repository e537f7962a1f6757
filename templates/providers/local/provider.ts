import { OpenAICompatibleProvider } from "llm-etl/llm/providers/openai-compatible";

// A server on this machine with OpenAI's API. Its usual addresses: Ollama http://localhost:11434/v1, LM Studio http://localhost:1234/v1,
// llama.cpp http://localhost:8080/v1, vLLM http://localhost:8000/v1. LOCAL_MODEL is the server's name for the model.
export default new OpenAICompatibleProvider({
  baseURL: process.env["LOCAL_MODEL_URL"] || "http://localhost:11434/v1",
  model: process.env["LOCAL_MODEL"] ?? "",
  dialect: "strict", // "grammar" holds the model to dates, patterns and lengths as well, where the server takes them: llama.cpp does
});
