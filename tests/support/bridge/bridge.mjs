// A SurrealDB server for tests: the real engine behind the real protocol, for several clients.
//
//     node bridge.mjs URL [PORT]
//
// serves ws://127.0.0.1:PORT/rpc (CBOR) over the engine at URL, like rocksdb:///folder or mem://,
// to whoever signs in as root with the password below. Says `listening PORT` when it does. Loopback only.
// Requests go to the engine as they came, with the connection's own session added.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Encoded, Reader, Tagged, decode, encode } from "@surrealdb/cbor";
import { WebSocketServer } from "ws";

const [url, port = "0"] = process.argv.slice(2);
const UUID = 37; // the tag of SurrealDB's RPC protocol
const MAP = 5; // CBOR's major type
const WITHOUT_SIGNING_IN = new Set(["signin", "authenticate", "ping", "version", "use"]);
const STRANGER = { code: -32002, message: "IAM error: Not enough permissions to perform this action" };

// The package's own entry is a part of its SDK; what is needed is the engine alone.
const libc = process.platform === "linux" ? "-gnu" : "";
const binding = `surrealdb-node.${process.platform}-${process.arch}${libc}.node`;
const { SurrealNodeEngine } = createRequire(import.meta.url)(
  `./node_modules/@surrealdb/node/dist/${binding}`,
);

const engine = await SurrealNodeEngine.connect(url, { capabilities: { functions: true } });

const execute = async (request) => Buffer.from(await engine.execute(request));

const session = (id) => new Tagged(UUID, Buffer.from(id.replaceAll("-", ""), "hex"));

const command = (method, params, id) =>
  execute(
    encode({ id: randomUUID(), method, params, ...(id && { session: session(id) }) }),
  );

await command("query", ["DEFINE USER IF NOT EXISTS root ON ROOT PASSWORD 'br1dge-Kq7VtWm2LxBn4s' ROLES OWNER", {}]);

/** The id and the method of a request, without a look at its parameters when they come last. */
function head(request) {
  const reader = new Reader(request);
  const [major, info] = reader.readMajor();
  if (major !== MAP) throw new Error("a request is a map");
  const said = {};
  for (let left = Number(reader.readMajorLength(info)); left > 0; left -= 1) {
    said[decode(reader)] = decode(reader);
    if ("id" in said && "method" in said) break;
  }
  return said;
}

/** The request with one more entry; clients send small maps, so the first byte has their length. */
function within(request, id) {
  const whole = Buffer.concat([request, encode("session"), encode(session(id))]);
  whole[0] += 1;
  return whole;
}

/** What the engine answered, as the protocol says it. */
function reply(id, answer) {
  const error = answer[0] >> 5 === MAP && decode(answer).error;
  return encode(error ? { id, error } : { id, result: new Encoded(answer) });
}

async function serve(socket) {
  const own = randomUUID();
  const attached = command("attach", [], own);
  let known = false;
  socket.on("message", async (request) => {
    let id = null;
    try {
      const said = head(request);
      id = said.id;
      await attached;
      if (!known && !WITHOUT_SIGNING_IN.has(said.method)) {
        socket.send(encode({ id, error: STRANGER }));
        return;
      }
      const answer = await execute(within(request, own));
      known ||= said.method === "signin" && answer[0] >> 5 !== MAP;
      socket.send(reply(id, answer));
    } catch (error) {
      socket.send(encode({ id, error: { code: -32000, message: String(error.message ?? error) } }));
    }
  });
  socket.on("close", () => attached.then(() => command("detach", [], own)).catch(() => {}));
}

const server = createServer((_, response) => response.end("ok"));
new WebSocketServer({ server, path: "/rpc", maxPayload: 128 << 20, handleProtocols: () => "cbor" }).on(
  "connection",
  serve,
);
server.listen(Number(port), "127.0.0.1", () => console.log(`listening ${server.address().port}`));
