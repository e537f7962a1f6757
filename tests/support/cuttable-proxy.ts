import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a server that can be cut, as if the server were killed, or go silent, and be mended. */
export interface CuttableProxy {
  readonly port: number;
  /** Ends all connections, and takes no new ones. */
  readonly cut: () => void;
  /** Hands on nothing more, in either direction, or none of the server's answers; it takes connections, and ends none. */
  readonly silence: (what?: "all" | "answers") => void;
  /** Ends the cut or the silence; what was written meanwhile arrives late. */
  readonly mend: () => Promise<void>;
}

export async function startCuttableProxy(target: URL): Promise<CuttableProxy> {
  const sockets = new Map<Socket, Socket>();
  const upstreams = new WeakSet<Socket>();
  let silent: "all" | "answers" | undefined;
  const isSilent = (socket: Socket): boolean => silent === "all" || (silent === "answers" && upstreams.has(socket));
  const server = createServer((client) => {
    const upstream = connect(Number(target.port === "" ? 80 : target.port), target.hostname);
    upstreams.add(upstream);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.set(socket, other);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      if (!isSilent(socket)) socket.pipe(other);
    }
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port; // a server that listens on a port has such an address
  };
  const port = await listen(0);
  return {
    port,
    cut: () => {
      server.close();
      for (const socket of sockets.keys()) socket.destroy();
    },
    silence: (what = "all") => {
      silent = what;
      for (const [socket, other] of sockets) if (isSilent(socket)) socket.unpipe(other);
    },
    mend: async () => {
      const silenced = [...sockets].filter(([socket]) => isSilent(socket));
      if (silent === undefined) await listen(port);
      silent = undefined;
      for (const [socket, other] of silenced) socket.pipe(other);
    },
  };
}
