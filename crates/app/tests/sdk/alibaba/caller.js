// Calls actions of the service through Alibaba Cloud's SDKs for Node.js as they are installed.
//
// Usage: node caller.js MODE. Reads lines of {"action", "parameters"} and answers each with a line:
// the SDK's answer as {"answer"}, or what its error says as {"code", "message"}. A line may have
// "secret" or "key_id", which go in the place of the environment's.
//
// Nothing of the SDKs is changed, not even how long they wait; what a test expects is in the Rust
// tests.

const { createInterface } = require("node:readline");

const VERSION = "2014-08-15";
const { env } = process;
const [mode] = process.argv.slice(2);

/** The SDK of the first generation. */
function popCore(method) {
  const { RPCClient } = require("@alicloud/pop-core");
  return (action, parameters, keyId, secret) => {
    const client = new RPCClient({
      accessKeyId: keyId,
      accessKeySecret: secret,
      endpoint: `http://${env.DBFERRY_ENDPOINT}`,
      apiVersion: VERSION,
    });
    return client.request(action, parameters, { method });
  };
}

/** The SDK of the second generation, with a method for each action. */
function typed(signatureAlgorithm) {
  const { default: Client, ...models } = require("@alicloud/rds20140815");
  const { Config } = require("@alicloud/openapi-client");
  return async (action, parameters, accessKeyId, accessKeySecret) => {
    const config = new Config({
      accessKeyId,
      accessKeySecret,
      endpoint: env.DBFERRY_ENDPOINT,
      protocol: "HTTP",
      regionId: env.DBFERRY_REGION,
      signatureAlgorithm,
    });
    const Request = models[`${action}Request`];
    const given = {};
    for (const [own, name] of Object.entries(Request.names())) {
      if (name in parameters) given[own] = parameters[name];
    }
    const method = action[0].toLowerCase() + action.slice(1);
    const { body } = await new Client(config)[method](new Request(given));
    return body.toMap();
  };
}

const MODES = {
  "pop-get": () => popCore("GET"),
  "pop-post": () => popCore("POST"),
  "js-typed": () => typed(),
  "js-typed-v1": () => typed("v2"),
};

async function main() {
  const call = MODES[mode]();
  for await (const line of createInterface({ input: process.stdin })) {
    const { action, parameters, key_id: keyId, secret } = JSON.parse(line);
    const told = await call(
      action,
      parameters,
      keyId ?? env.DBFERRY_KEY_ID,
      secret ?? env.DBFERRY_KEY_SECRET,
    ).then(
      (answer) => ({ answer }),
      (error) => {
        if (!error.code) throw error;
        return { code: error.code, message: error.message };
      },
    );
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
}

main();
