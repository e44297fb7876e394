// KeysFolder: a folder with a keys file for a server under test. The key of the entry NAME is "NAME-key".
//
// Threading: one thread. Failure: the test stops.
#ifndef SIGHTLINE_TESTS_E2E_SECURITY_KEYS_FOLDER_H_
#define SIGHTLINE_TESTS_E2E_SECURITY_KEYS_FOLDER_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/sha256.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

inline std::string KeyEntry(const std::string& name, const std::string& scope, const std::string& more = "") {
  return absl::StrCat(R"({"name": ")", name, R"(", "sha256": ")", base::Sha256Hex(name + "-key"), R"(", "scope": ")",
                      scope, "\"", more.empty() ? "" : ", ", more, "}");
}

inline std::vector<std::pair<std::string, std::string>> Bearer(const std::string& name) {
  return {{"authorization", absl::StrCat("Bearer ", name, "-key")}};
}

class KeysFolder {
 public:
  const std::string& path() const { return folder_.path(); }
  std::string Path(const std::string& name) const { return folder_.Path(name); }
  std::string keys() const { return folder_.Path("keys.json"); }

  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(base::WriteFileDurably(folder_.Path(name), content).ok());
  }
  void WriteKeys(const std::vector<std::string>& entries) {
    Write("keys.json", absl::StrCat(R"({"keys": [)", absl::StrJoin(entries, ","), "]}"));
  }

 private:
  const TempFolder folder_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_SECURITY_KEYS_FOLDER_H_
