// Any text as the file of settings that a running server reads again, with every check of what it says; and as an
// address.
#include <cstdlib>
#include <fstream>
#include <string>

#include "server/http/address.h"
#include "server/options.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

// The path of the file that the settings come from.
const std::string& SettingsFile() {
  static const testing::TempFolder folder;
  static const std::string path = [] {
    std::string made = folder.Path("settings");
    std::ofstream(made).close();
    ::setenv("SIGHTLINE_CONFIG", made.c_str(), /*overwrite=*/1);
    std::string program = "sightline-server";
    char* arguments[] = {program.data(), nullptr};
    testing::Expect(ParseOptions(1, arguments).ok());
    return made;
  }();
  return path;
}

}  // namespace
}  // namespace sightline::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text = testing::View(data, size);
  std::ofstream(server::SettingsFile(), std::ios::binary | std::ios::trunc) << text;
  // What an earlier input has set is back at its default.
  const auto reloaded = server::ReloadOptions();
  testing::CheckAnswer(reloaded.status());
  const auto address = server::ParseHostPort(std::string(text));
  testing::CheckAnswer(address.status());
  if (address.ok()) {
    testing::Expect(address->port >= 0 && address->port <= 65'535);
    server::IsLoopback(address->host);
  }
  return 0;
}
