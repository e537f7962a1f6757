import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface DelayingProxy {
  readonly port: number;
  readonly close: () => void;
}

/** A way to a server that takes longer: what the server answers arrives so many milliseconds later, and in its order. */
export async function startDelayingProxy(target: URL, delayMs: number): Promise<DelayingProxy> {
  const { port: targetPort, hostname: host } = target;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(targetPort), host, noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(delay(delayMs)).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a server that listens on a port has such an address
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port, close };
}

/** Timers of one length end in the order in which they began. */
function delay(delayMs: number): Transform {
  return new Transform({
    transform(this: Transform, chunk: Buffer, _encoding, done) {
      setTimeout(() => this.push(chunk), delayMs);
      done();
    },
  });
}
