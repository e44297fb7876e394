// The access table: what a caller of each RPC must be allowed to. Every RPC of the API has a row; the server does not
// start with one that has none, and a test compares the table with the API's descriptors.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_SERVER_ACCESS_TABLE_H_
#define SIGHTLINE_SERVER_ACCESS_TABLE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/call_info.h"

namespace sightline::server {

struct AccessRow {
  absl::string_view method;  // "SearchService/Search"
  Access access;
};

absl::Span<const AccessRow> AccessTable();

// nullopt: the method has no row.
std::optional<Access> AccessOf(absl::string_view method);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_ACCESS_TABLE_H_
