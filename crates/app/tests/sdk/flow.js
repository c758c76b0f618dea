// The service through Tencent's Node.js SDK: an import, a stopped import, refusals.
//
// Usage: node flow.js MODE FILE DATABASE SLOW, where SLOW is a file that makes a table `slow` and
// then does not end by itself soon. Nothing of the SDK is changed; the rows that arrive are checked
// by the caller.

const assert = require("node:assert");
const { setTimeout: pause } = require("node:timers/promises");
const { cdb } = require("tencentcloud-sdk-nodejs/tencentcloud/services/cdb");
const { CommonClient } = require("tencentcloud-sdk-nodejs/tencentcloud/common/common_client");

const VERSION = "2017-03-20";
// Name of the mode: signature method, HTTP method.
const MODES = {
  "tc3-post": ["TC3-HMAC-SHA256", "POST"],
  "tc3-get": ["TC3-HMAC-SHA256", "GET"],
  "sha1-post": ["HmacSHA1", "POST"],
  "sha1-get": ["HmacSHA1", "GET"],
  "sha256-post": ["HmacSHA256", "POST"],
  "sha256-get": ["HmacSHA256", "GET"],
};
// Two equal v1 requests of one second are one request sent twice if their nonces are equal, which
// this SDK takes from 65,536: it must not ask the same too often.
const POLL_MILLISECONDS = 500;
// What takes longer than this hangs.
const POLL_LIMIT_MILLISECONDS = 60_000;
// More than any limit on actions without a limit of their own.
const REQUESTS_MAX = 200;
const UNKNOWN_JOB = "00000000-00000000-00000000-00000001";

const { env } = process;
const instance = env.DBFERRY_INSTANCE;
const [mode, file, database, slow] = process.argv.slice(2);

/** The SDK's settings, with another key if one is given. */
function settings(key) {
  const [signMethod, reqMethod] = MODES[mode];
  return {
    credential: {
      secretId: env.TENCENTCLOUD_SECRET_ID,
      secretKey: env.TENCENTCLOUD_SECRET_KEY,
      ...key,
    },
    region: env.TENCENTCLOUD_REGION,
    profile: {
      signMethod,
      language: "en-US",
      httpProfile: { endpoint: env.DBFERRY_ENDPOINT, protocol: "http://", reqMethod },
    },
  };
}

/** The client that has a method for each action. */
function typed(key) {
  return new cdb.v20170320.Client(settings(key));
}

/** The client that sends what it is told to. */
function generic(version = VERSION) {
  const { credential, region, profile } = settings();
  return new CommonClient(env.DBFERRY_ENDPOINT, version, { credential, region, profile });
}

function create(sdk, changes) {
  return sdk.CreateDBImportJob({
    InstanceId: instance,
    User: "root",
    Password: env.DBFERRY_ROOT_PASSWORD,
    FileName: file,
    DbName: database,
    ...changes,
  });
}

/** Polls until the status is none of these, and returns it. */
async function passed(sdk, job, ...words) {
  const deadline = Date.now() + POLL_LIMIT_MILLISECONDS;
  for (;;) {
    const { Status, Info } = await sdk.DescribeAsyncRequestInfo({ AsyncRequestId: job });
    assert.equal(typeof Info, "string");
    if (!words.includes(Status)) return Status;
    assert(Date.now() < deadline, `still ${Status}`);
    await pause(POLL_MILLISECONDS);
  }
}

/** Waits for the table: the file's next statement is the slow one. */
async function hasBegun(sdk) {
  const deadline = Date.now() + POLL_LIMIT_MILLISECONDS;
  for (;;) {
    const { Items } = await sdk.DescribeTables({ InstanceId: instance, Database: database });
    if (Items.includes("slow")) return;
    assert(Date.now() < deadline, "it does not go on");
    await pause(POLL_MILLISECONDS);
  }
}

/** All records of the instance, read page by page. */
async function records(sdk, limit) {
  const found = [];
  for (;;) {
    const page = await sdk.DescribeDBImportRecords({
      InstanceId: instance,
      Offset: found.length,
      Limit: limit,
    });
    found.push(...page.Items);
    if (page.Items.length < limit) {
      assert.equal(page.TotalCount, found.length);
      return found;
    }
  }
}

/** Checks that the SDK's exception has exactly this code, and a request id. */
async function refused(code, act) {
  await assert.rejects(act, (error) => {
    assert.equal(error.code, code, String(error));
    assert(error.requestId, String(error));
    return true;
  });
}

async function imports(sdk) {
  const { AsyncRequestId: job } = await create(sdk, {});
  assert.match(job, /^[0-9a-f]{8}(-[0-9a-f]{8}){3}$/);
  assert.equal(await passed(sdk, job, "INITIAL", "RUNNING"), "SUCCESS");
  const found = (await records(sdk, 1)).filter((record) => record.AsyncRequestId === job);
  assert.equal(found.length, 1);
  const { Status, FileName, DbName, Process, FileSize } = found[0];
  assert.deepEqual([Status, FileName, DbName, Process], [2, file, database, 100]);
  assert.equal(typeof FileSize, "string");
}

async function stops(sdk) {
  const { AsyncRequestId: job } = await create(sdk, { FileName: slow });
  assert.equal(await passed(sdk, job, "INITIAL"), "RUNNING");
  await hasBegun(sdk);
  const again = await create(sdk, { FileName: slow });
  assert.equal(again.AsyncRequestId, job, "a repeated request started a second import");
  await refused("OperationDenied.WrongStatus", () => create(sdk, {}));
  await sdk.StopDBImportJob({ AsyncRequestId: job });
  assert.equal(await passed(sdk, job, "INITIAL", "RUNNING"), "KILLED");
}

async function refusals(sdk) {
  const here = { InstanceId: instance };
  const cases = [
    ["InvalidParameter.InstanceNotFound", () => create(sdk, { InstanceId: "cdb-nowhere1" })],
    ["OperationDenied.WrongPassword", () => create(sdk, { Password: "wrong" })],
    ["InvalidParameter", () => create(sdk, { FileName: "absent.sql" })],
    ["InvalidParameter", () => create(sdk, { DbName: "absent" })],
    ["InvalidParameter", () => create(sdk, { FileName: undefined })],
    ["MissingParameter", () => create(sdk, { User: undefined })],
    [
      "InvalidParameter.InvalidAsyncRequestId",
      () => sdk.StopDBImportJob({ AsyncRequestId: UNKNOWN_JOB }),
    ],
    ["InvalidParameterValue", () => sdk.DescribeDBImportRecords({ ...here, Limit: 101 })],
    ["UnknownParameter", () => generic().request("DescribeTasks", { Nonsense: 1 })],
    ["InvalidAction", () => generic().request("DescribeNothing", {})],
    ["NoSuchVersion", () => generic("2016-01-01").request("DescribeDBInstances", {})],
    [
      "AuthFailure.SecretIdNotFound",
      () => typed({ secretId: "AKIDabsent" }).DescribeDBInstances({}),
    ],
    ["AuthFailure.SignatureFailure", () => typed({ secretKey: "forged" }).DescribeDBInstances({})],
    [
      "RequestLimitExceeded",
      async () => {
        for (let count = 0; count < REQUESTS_MAX; count += 1) {
          await sdk.DescribeUploadedFiles({ Path: env.DBFERRY_UIN });
        }
      },
    ],
  ];
  for (const [code, act] of cases) await refused(code, act);
}

async function main() {
  const sdk = typed();
  await imports(sdk);
  await stops(sdk);
  await refusals(sdk);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
