/* Sluice: a complete real-time data platform in one program.
 *
 * Where things are, in the order in which a record travels (src/LAYERS says who may include whom):
 *
 *     base/    memory, bytes, text, errors, checks            os/      the one door to the outside; its simulator
 *     run/     roles, loops, messages, timers, counters       obs/     events and metrics
 *     conf/    YAML → option tables → structs                 type/    SQL types, decimals, times, casts
 *     json/    its text: structure, numbers, trees            schema/  Avro, Protobuf, JSON Schema: what fits what
 *     batch/   columnar batches                               format/  json, csv, parquet, record batches ↔ columns
 *     log/     the journal and the logs behind it             topic/   records ↔ columns; a client of any Kafka
 *     http/    server and client on the net loop              sql/     text → tree → bound plan
 *     op/      vectorised expressions and operators           source/  where rows come from
 *     sink/    where rows end up; sink_turn                   job/     the spines: ingest_turn, job_turn, runs
 *     cli/     commands
 *
 * docs/path-of-a-record.md follows one row through all of it. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
