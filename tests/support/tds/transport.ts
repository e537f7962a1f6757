import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import { MessageReader, packets, packetTypes } from "./packets.ts";

// The pair of tests/fixtures/tls, made with openssl: self-signed, for localhost and 127.0.0.1. Clients trust it (TrustServerCertificate) or name it as their CA.
const secureContext = createSecureContext({
  cert: readFileSync(new URL("../../fixtures/tls/certificate.pem", import.meta.url)),
  key: readFileSync(new URL("../../fixtures/tls/key.pem", import.meta.url)),
});

/** TLS from the first byte on, as `Encrypt=Strict` (TDS 8.0) has it. */
export function strictTLS(socket: Socket): Duplex {
  return new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["tds/8.0"] });
}

/**
 * TLS whose handshake travels in pre-login packets (MS-TDS 2.2.6.5): each flight is one message. After the handshake the bytes are plain TLS records.
 * The switch is seen from the client's first byte that is not a packet: the server never speaks first after the handshake.
 */
export function wrappedTLS(socket: Socket): Duplex {
  let handshaking = true;
  let flight: Buffer[] = [];
  const sendFlight = () => {
    if (flight.length > 0 && !socket.destroyed) socket.write(packets(packetTypes.prelogin, Buffer.concat(flight)));
    flight = [];
  };
  const records = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      if (!handshaking) {
        writeThrough(socket, chunk, done);
        return;
      }
      if (flight.push(chunk) === 1) setImmediate(sendFlight); // a flight may come in several writes
      done();
    },
    final: (done) => {
      socket.end();
      done();
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const reader = new MessageReader((message) => records.push(message.data));
  socket.on("data", (chunk: Buffer) => {
    if (handshaking && chunk[0] !== packetTypes.prelogin) handshaking = false;
    if (handshaking) reader.feed(chunk);
    else if (!records.push(chunk)) socket.pause();
  });
  socket.on("end", () => records.push(null));
  socket.on("close", () => records.destroy());
  return new TLSSocket(records, { isServer: true, secureContext });
}

function writeThrough(socket: Socket, chunk: Buffer, done: () => void): void {
  if (socket.destroyed || socket.write(chunk)) {
    done();
    return;
  }
  const settled = () => {
    socket.off("drain", settled).off("close", settled);
    done();
  };
  socket.on("drain", settled).on("close", settled);
}
