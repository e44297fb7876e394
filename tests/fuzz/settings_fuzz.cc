// Any text as a file of settings, every value given to the flag of its name; and as an address.
#include <map>
#include <string>

#include "absl/flags/reflection.h"
#include "server/http/address.h"
#include "server/options.h"
#include "server/settings.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text = testing::View(data, size);
  // Links options.cc, whose flags these are.
  auto* volatile linked = &server::ReloadOptions;
  (void)linked;
  testing::CheckAnswer(
      server::ForEachSetting(text, "config", [](const std::string& name, const std::string& value, const std::string&) {
        absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
        if (flag == nullptr || flag->Filename().find("server/options.cc") == absl::string_view::npos) {
          return absl::OkStatus();
        }
        std::string error;
        if (!flag->ParseFrom(value, &error)) testing::Expect(!error.empty());
        return absl::OkStatus();
      }));
  const auto address = server::ParseHostPort(std::string(text));
  testing::CheckAnswer(address.status());
  if (address.ok()) {
    testing::Expect(address->port >= 0 && address->port <= 65'535);
    server::IsLoopback(address->host);
  }
  return 0;
}
