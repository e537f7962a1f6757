import { connect, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";

export interface CommitProxy {
  /** The connection string, by way of the proxy. */
  readonly url: string;
  /** The next commit does not arrive, or its answer does not; gives how often that was. */
  readonly loseCommit: (when: "before" | "after") => { readonly hits: number };
  readonly close: () => void;
}

/**
 * A way to a server, without TLS, on which the connection breaks at a commit.
 *
 * @param commit what the request of one has
 */
export async function startCommitProxy(target: string, commit = "COMMIT\0"): Promise<CommitProxy> {
  const { hostname, port } = new URL(target);
  let losing: { readonly when: "before" | "after"; hits: number } | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let isMute = false;
    client.on("data", (bytes) => {
      const isCommit = losing !== undefined && bytes.includes(commit);
      const when = isCommit ? losing?.when : undefined;
      if (isCommit && losing !== undefined) {
        losing.hits += 1;
        losing = undefined;
      }
      if (when === "before") return client.destroy();
      isMute = when === "after";
      return upstream.write(bytes);
    });
    upstream.on("data", (bytes) => (isMute ? client.destroy() : client.write(bytes)));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port); // a server that listens on a port has such an address
  return {
    url: url.href,
    loseCommit: (when) => {
      losing = { when, hits: 0 };
      return losing;
    },
    close: () => void server.close(),
  };
}
