// CodeTables: the codes that the comment of each RPC promises, read from the protos.
//
// Threading: a value. Failure: Read throws when the protos cannot be read, which ends the test program.
#ifndef SIGHTLINE_TESTS_E2E_CODE_TABLES_H_
#define SIGHTLINE_TESTS_E2E_CODE_TABLES_H_

#include <map>
#include <set>
#include <string>

namespace sightline::testing {

// From "Search" to {"INVALID_ARGUMENT", "NOT_FOUND", ...}.
using CodeTables = std::map<std::string, std::set<std::string>>;

CodeTables ReadCodeTables(const std::string& proto_folder);

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_CODE_TABLES_H_
