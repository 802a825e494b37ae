// Records of random schemas as avsc reads them: each is read whole, and what avsc writes of it are the same bytes. On stdin one JSON text a line:
// {"schema": …, "rows": [hex, …]}; avro_peers.py makes them.
//
// usage: node avro_peers.js AVSC
const avsc = require(process.argv[2]);
const long = avsc.types.LongType.__with({
  fromBuffer: (b) => b.readBigInt64LE(),
  toBuffer: (n) => { const b = Buffer.alloc(8); b.writeBigInt64LE(n); return b; },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (n) => typeof n === "bigint",
  compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
});
let schemas = 0, rows = 0;
for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
  if (!line) continue;
  const given = JSON.parse(line);
  const type = avsc.Type.forSchema(given.schema, {
    wrapUnions: true,
    typeHook: (schema) => (schema === "long" || schema.type === "long" ? long : undefined),
  });
  for (const hex of given.rows) {
    const bytes = Buffer.from(hex, "hex");
    const again = type.toBuffer(type.fromBuffer(bytes));
    if (!again.equals(bytes)) {
      console.error(`${again.toString("hex")} is not ${hex}\n${JSON.stringify(given.schema)}`);
      process.exit(1);
    }
    rows++;
  }
  schemas++;
}
console.log(`avsc: ${schemas} schemas, ${rows} rows`);
