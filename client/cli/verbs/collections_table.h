// The table of collections, for `collections` and `status`.
#ifndef SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_
#define SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_

#include <string>
#include <vector>

#include "sightline/v1/collection.pb.h"

namespace sightline::cli {

std::string CollectionsTable(const std::vector<v1::Collection>& collections);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_TABLE_H_
