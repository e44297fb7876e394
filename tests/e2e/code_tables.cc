#include "tests/e2e/code_tables.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <utility>

namespace sightline::testing {

CodeTables ReadCodeTables(const std::string& proto_folder) {
  static const std::regex kRow(R"(\s*// \| ([A-Z_]+) \|.*)");
  static const std::regex kRpc(R"(\s*rpc (\w+)\(.*)");
  CodeTables tables;
  for (const auto& entry : std::filesystem::directory_iterator(proto_folder)) {
    std::ifstream file(entry.path());
    std::set<std::string> codes;
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (std::regex_match(line, match, kRow)) codes.insert(match[1]);
      if (std::regex_match(line, match, kRpc)) tables[match[1]] = std::exchange(codes, {});
    }
  }
  return tables;
}

}  // namespace sightline::testing
