// Runs the pipeline on the SQL Server of SQL_SERVER_CONN, where sql-server/create_tables.sql has made the tables.
import pipeline from "./pipeline-sql-server.ts";

const result = await pipeline.run();
console.log(`Processed: ${result.successCount}, Failed: ${result.failureCount}`);
process.exitCode = result.exitCode; // 0: all rows fine, 1: some failed, 2 and 3: see RunReport
