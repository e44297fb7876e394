// The table of collections and the bytes of one, for `collections` and `status`.
#ifndef SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_
#define SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_

#include <string>
#include <vector>

#include "client/cli/table.h"
#include "sightline/v1/collection.pb.h"

namespace sightline::cli {

std::string CollectionsTable(const std::vector<v1::Collection>& collections, TableStyle style = TableStyle::kAligned);

// "12.0 MiB: codes 8.0 MiB, graph 4.0 MiB", without the layers that hold nothing.
std::string LayersText(const v1::LayerBytes& bytes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_
