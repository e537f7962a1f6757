/** The simulator, in a process of its own: started with its options as JSON, ended when its parent goes. */
import { startAzureOpenAISimulator } from "llm-etl/testing";

const simulator = await startAzureOpenAISimulator(JSON.parse(process.argv[2] ?? "{}"));
process.once("disconnect", () => process.exit());
process.send?.(simulator.url);
