// What a server keeps on disk is for its own user and group, whatever the umask it was started with.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {
namespace {

namespace fs = std::filesystem;

TEST(FilesTest, OtherUsersOfTheMachineReadNothing) {
  const mode_t before = ::umask(0);
  const auto restore = absl::MakeCleanup([before] { ::umask(before); });
  const TempFolder folder;
  auto server = ServerProcess::Start({.folder = folder.path()});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto client = *client::Client::Connect({.address = (*server)->address()});
  ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
  ASSERT_TRUE(client->Index(NewImage("a", {1, 0, 0, 0})).ok());
  EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
  int looked_at = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path() + "/data")) {
    const fs::perms mode = entry.symlink_status().permissions();
    EXPECT_EQ(mode & fs::perms::others_all, fs::perms::none) << entry.path();
    EXPECT_EQ(mode & fs::perms::group_write, fs::perms::none) << entry.path();
    ++looked_at;
  }
  EXPECT_GT(looked_at, 5);
}

}  // namespace
}  // namespace sightline::testing
