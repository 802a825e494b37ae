/* Delta tables: their newest version. */
#include "cli/relation_private.h"
#include "sink/delta/scan.h"

bool delta_relation_open(struct relations *r, struct relation_source *s, struct err *err)
{
    struct delta_table table = {0};
    bool ok = delta_load(&table, s->path, -1, err);
    if (ok && table.version < 0) {
        err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no Delta table at \"%s\"", s->path);
        ok = err_hint(err, "A stream's table is made with its first rows.");
    }
    if (ok && delta_unknown_feature(&table, false))
        ok = err_set(err, ERR_FATAL,
                     "the Delta table at \"%s\" needs the feature \"%s\", which this version does not have",
                     s->path, delta_unknown_feature(&table, false));
    if (ok)
        s->schema = type_copy(pool_arena(r->pool), table.schema);
    delta_fini(&table);
    return ok;
}

bool delta_feed(struct feed *f, struct err *err)
{
    struct delta_scan *scan = delta_scan_new(f->pool, f->source->path, -1, f->wanted, err);
    struct batch *batch = batch_new();
    bool ok = scan != NULL, end = false;
    while (ok && !f->stopped) {
        ok = delta_scan_next(scan, batch, &end, err);
        if (end)
            break;
        if (ok)
            feed_give(f, batch);
        batch_reset(batch);
    }
    batch_free(batch);
    delta_scan_free(scan);
    return ok;
}
