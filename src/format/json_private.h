/* What the files of the JSON reader share among themselves. */
#ifndef FORMAT_JSON_PRIVATE_H
#define FORMAT_JSON_PRIVATE_H

#include <string.h>

#include "base/inline.h"
#include "format/json.h"
#include "json/scan.h"

#endif
