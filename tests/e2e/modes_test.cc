// Starts of another kind: with settings that change, with little memory, on damaged data, and only to look (--doctor).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/e2e/run_doctor.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

void WaitForLog(const ServerProcess& server, const std::string& text) {
  for (int i = 0; i < 1000; ++i) {
    if (absl::StrContains(server.Log(), text)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "'" << text << "' is not in the log: " << server.Log();
}

void Write(const std::string& path, const std::string& text) { ASSERT_TRUE(base::WriteFileDurably(path, text).ok()); }

// ---- Settings

TEST(ReloadTest, WhatCanChangeDoesAndTheRestIsNamed) {
  TempFolder folder;
  const std::string config = folder.Path("config");
  Write(config, "log_level = info\nmax_batch = 4\nmemory_budget = 1G\n");
  auto server = *ServerProcess::Start({.folder = folder.path(), .flags = {"--config=" + config, "--drain_grace=7s"}});
  const auto client = *client::Client::Connect({.address = server->address()});
  EXPECT_EQ(client->GetServerInfo()->limits().memory_budget_bytes(), 1 << 30);

  Write(config, "log_level = debug\nmax_batch = 5\nmemory_budget = 2G\ndrain_grace = 9s\n");
  server->Signal(SIGHUP);
  WaitForLog(*server, "no models to load again");
  EXPECT_THAT(server->Log(),
              AllOf(HasSubstr(R"("message":"setting changed","memory_budget":"2147483648")"),
                    HasSubstr(R"("message":"setting changed","log_level":"debug")"),
                    HasSubstr(R"("message":"setting changed, but it needs a restart","max_batch":"5")")));
  const auto info = client->GetServerInfo();
  EXPECT_EQ(info->limits().memory_budget_bytes(), int64_t{2} << 30);
  EXPECT_EQ(info->limits().max_batch(), 4);
  EXPECT_EQ(info->limits().drain_grace().seconds(), 7) << "the command line wins";

  // A line that is wrong changes nothing, not even what stands before it.
  Write(config, "log_level = info\nmemory_budget = lots\n");
  server->Signal(SIGHUP);
  WaitForLog(*server, "settings not read again");
  EXPECT_THAT(server->Log(), HasSubstr("line 2 sets memory_budget to 'lots'"));
  EXPECT_EQ(client->GetServerInfo()->limits().memory_budget_bytes(), int64_t{2} << 30);
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

// ---- Data that are damaged, or larger than memory

// Ten images in "v" and ten in "w".
void FillTwoCollections(const std::string& folder) {
  auto server = *ServerProcess::Start({.folder = folder});
  const auto client = *client::Client::Connect({.address = server->address()});
  for (const char* name : {"v", "w"}) {
    ASSERT_TRUE(client->CreateCollection(NewCollection(name)).ok());
    for (int i = 0; i < 10; ++i) {
      auto image = NewImage(absl::StrCat(i), {1, static_cast<float>(i), 0, 0});
      image.set_collection(name);
      ASSERT_TRUE(client->Index(image).ok());
    }
  }
  ASSERT_EQ(server->Terminate(), 0) << server->Log();
}

// Of the collection `name`, the files with that extension.
std::vector<fs::path> FilesOf(const std::string& folder, const std::string& name, const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder + "/data/collections")) {
    if (entry.path().extension() == extension && absl::StrContains(entry.path().string(), "/" + name + ".")) {
      found.push_back(entry.path());
    }
  }
  return found;
}

TEST(RecoveryTest, ReadsWhatIsLeftDeletesAndDoesNothingElse) {
  TempFolder folder;
  ASSERT_NO_FATAL_FAILURE(FillTwoCollections(folder.path()));
  // The tables of "w": the largest one cannot be opened any more.
  const std::vector<fs::path> tables = FilesOf(folder.path(), "w", ".sst");
  ASSERT_FALSE(tables.empty());
  fs::path largest = tables.front();
  for (const fs::path& table : tables) {
    if (fs::file_size(table) > fs::file_size(largest)) largest = table;
  }
  fs::resize_file(largest, fs::file_size(largest) / 2);

  auto server = ServerProcess::Start({.folder = folder.path(), .flags = {"--recovery", "--models=not_there"}});
  ASSERT_TRUE(server.ok()) << server.status();
  auto client = *client::Client::Connect({.address = (*server)->address()});
  const auto info = client->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->warnings(0), HasSubstr("--recovery"));

  EXPECT_THAT((*server)->Log(), HasSubstr("collection opened for reading, without what is damaged"));
  EXPECT_TRUE(client->GetCollection("w").ok());
  EXPECT_EQ(client->Search(NewSearch({1, 3, 0, 0}))->results(0).id(), "3");
  const absl::Status write = client->Index(NewImage("new", {0, 0, 1, 0})).status();
  EXPECT_EQ(write.code(), absl::StatusCode::kFailedPrecondition) << write;
  EXPECT_EQ(base::GetErrorInfo(write).reason, "RECOVERY_MODE");
  EXPECT_EQ(base::GetErrorInfo(client->CreateCollection(NewCollection("x")).status()).reason, "RECOVERY_MODE");
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("3");
  ASSERT_TRUE(client->DeleteImages(remove).ok());
  EXPECT_EQ(client->GetCollection("v")->stats().images(), 9);
  ASSERT_EQ((*server)->Terminate(), 0) << (*server)->Log();

  // Nothing of it stays but the delete.
  server = ServerProcess::Start({.folder = folder.path()});
  ASSERT_TRUE(server.ok()) << server.status();
  client = *client::Client::Connect({.address = (*server)->address()});
  EXPECT_EQ(client->GetCollection("v")->stats().images(), 9);
  EXPECT_TRUE(client->Index(NewImage("new", {0, 0, 1, 0})).ok());
  EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
}

void FlipBit(const fs::path& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.peek();
  file.put(static_cast<char>(byte ^ 0x10));
}

// Some tables are needed to open a collection; of one that is opened all the same, a list shows what can be read.
TEST(RecoveryTest, ListsWhatCanBeReadBesideDamagedBlocks) {
  TempFolder folder;
  ASSERT_NO_FATAL_FAILURE(FillTwoCollections(folder.path()));
  int short_lists = 0;
  for (const fs::path& table : FilesOf(folder.path(), "w", ".sst")) {
    const uint64_t at = fs::file_size(table) / 8;
    FlipBit(table, at);
    auto server = ServerProcess::Start({.folder = folder.path(), .flags = {"--recovery"}});
    ASSERT_TRUE(server.ok()) << server.status();
    const auto client = *client::Client::Connect({.address = (*server)->address()});
    v1::ListImagesRequest list;
    list.set_collection("v");
    EXPECT_EQ(client->ListImages(list)->images_size(), 10);
    if (client->GetCollection("w").ok()) {
      list.set_collection("w");
      const auto listed = client->ListImages(list);
      EXPECT_TRUE(listed.ok()) << table << ": " << listed.status();
      if (listed.ok() && listed->images_size() < 10) ++short_lists;
    }
    EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
    FlipBit(table, at);
  }
  EXPECT_GT(short_lists, 0) << "nothing that a list reads was damaged";
}

// R8: data larger than the memory there is.
TEST(LowMemoryTest, StartsAndDeletesUnderALimitThatANormalStartDoesNotFit) {
  if (std::getenv("SIGHTLINE_SLOW_TESTS") == nullptr) GTEST_SKIP() << "set SIGHTLINE_SLOW_TESTS=1 to run it";
  constexpr int kDim = 2048;
  constexpr int kImages = 65'536;  // 128 MiB of codes: more than what opening takes for a while in either case
  constexpr int64_t kStep = 8 << 20;
  TempFolder folder;
  {
    auto server = *ServerProcess::Start({.folder = folder.path()});
    const auto client = *client::Client::Connect({.address = server->address()});
    ASSERT_TRUE(client->CreateCollection(NewCollection("v", kDim)).ok());
    std::vector<float> values(kDim, 1.0F);
    int sent = 0;
    const auto summary = client->IndexMany(
        [&]() -> std::optional<v1::IndexRequest> {
          if (sent == kImages) return std::nullopt;
          values[static_cast<size_t>(sent % kDim)] = static_cast<float>(1 + sent % 97);
          return NewImage(absl::StrCat("image-", sent++), values);
        },
        [](const client::ItemOutcome& outcome) { ASSERT_TRUE(outcome.status.ok()) << outcome.status; }, {});
    ASSERT_TRUE(summary.ok()) << summary.status();
    ASSERT_EQ(server->Terminate(), 0) << server->Log();
  }
  const auto start = [&](std::vector<std::string> flags, int64_t limit) {
    return ServerProcess::Start({.folder = folder.path(), .flags = std::move(flags), .memory_limit = limit});
  };
  // The least that does: more than what the server has once it serves, by what it needs on the way there.
  int64_t limit = (*start({"--low_memory"}, 0))->OwnMemory();
  if (limit == 0) GTEST_SKIP() << "the system does not tell how much memory a process has";
  for (int i = 0; i < 32 && !start({"--low_memory"}, limit).ok(); ++i) limit += kStep;
  limit += 2 * kStep;  // for the searches
  std::printf("the limit is %lld MiB\n", static_cast<long long>(limit >> 20));
  const absl::Status refused = start({}, limit).status();
  EXPECT_FALSE(refused.ok()) << "the limit is too high to prove anything";
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cannot be had; the process may have"));
  for (const char* mode : {"--low_memory", "--recovery"}) {
    SCOPED_TRACE(mode);
    const auto begin = std::chrono::steady_clock::now();
    auto server = start({mode}, limit);
    ASSERT_TRUE(server.ok()) << server.status();
    std::printf("%s: ready after %.1f s\n", mode,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    const auto client = *client::Client::Connect({.address = (*server)->address()});
    v1::DeleteImagesRequest remove;
    remove.set_collection("v");
    remove.add_ids(absl::StrCat("image-", mode == std::string("--recovery") ? 1 : 2));
    const auto removed = client->DeleteImages(remove);
    ASSERT_TRUE(removed.ok()) << removed.status();
    EXPECT_EQ(removed->deleted(), 1);
    EXPECT_TRUE(client->Search(NewSearch(std::vector<float>(kDim, 1.0F))).ok());
    EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
  }
}

// OpenBLAS asks for memory before main begins, and asks again for ever.
TEST(LowMemoryTest, TooLittleToStartIsSaidInASentence) {
  TempFolder folder;
  const absl::Status refused =
      ServerProcess::Start({.folder = folder.path(), .memory_limit = int64_t{160} << 20}).status();
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("the server ended with 1 before it served"),
                                                    HasSubstr("the process may have 160 MiB. Raise the limit")));
}

// ---- The doctor

// Name, size and time of everything below `folder`.
std::string Fingerprint(const std::string& folder) {
  std::string out;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    absl::StrAppend(&out, path.string(), " ", fs::is_regular_file(path) ? fs::file_size(path) : 0, " ",
                    fs::last_write_time(path).time_since_epoch().count(), "\n");
  }
  return out;
}

TEST(DoctorTest, FindsAFlippedByteAndWritesNothing) {
  TempFolder folder;
  ASSERT_NO_FATAL_FAILURE(FillTwoCollections(folder.path()));
  const std::string flags = absl::StrCat("--data_dir=", folder.path(),
                                         "/data --listen=127.0.0.1:0 --http_listen=127.0.0.1:0 "
                                         "--admin_listen=127.0.0.1:0");
  const std::string before = Fingerprint(folder.path() + "/data");
  const Diagnosis well = RunDoctor(flags);
  EXPECT_EQ(well.exit_code, 0) << well.text;
  EXPECT_THAT(well.text, AllOf(HasSubstr("collection v"), HasSubstr("10 images"), Not(HasSubstr("FAIL"))));
  EXPECT_EQ(Fingerprint(folder.path() + "/data"), before) << "it wrote something";

  for (const fs::path& table : FilesOf(folder.path(), "w", ".sst")) {
    std::fstream file(table, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(20);
    const char flipped = static_cast<char>(file.get() ^ 1);
    file.seekp(20);
    file.put(flipped);
  }
  const Diagnosis ill = RunDoctor(flags);
  EXPECT_EQ(ill.exit_code, 1) << ill.text;
  EXPECT_THAT(ill.text, AllOf(HasSubstr("FAIL"), HasSubstr("collection w")));

  // Every address is tried: one that is no address of this machine, from a network for examples.
  std::string others = flags;
  for (const char* flag : {"--listen", "--admin_grpc_listen", "--http_listen", "--admin_listen"}) {
    absl::StrAppend(&others, " ", flag, "=192.0.2.1:0");
  }
  const Diagnosis elsewhere = RunDoctor(others);
  EXPECT_THAT(elsewhere.text, AllOf(HasSubstr("FAIL  --listen "), HasSubstr("FAIL  --admin_grpc_listen "),
                                    HasSubstr("FAIL  --http_listen "), HasSubstr("FAIL  --admin_listen ")));

  const Diagnosis no_card = RunDoctor(flags + " --index_device=cuda:1000");
  EXPECT_EQ(no_card.exit_code, 1);
  EXPECT_THAT(no_card.text, HasSubstr("FAIL  index device"));
  EXPECT_THAT(RunDoctor(flags + " --index_device=auto").text, Not(HasSubstr("FAIL  index device")));
  EXPECT_THAT(well.text, Not(HasSubstr("index device"))) << "nothing was asked for";
  const Diagnosis no_model = RunDoctor(flags + " --models=nowhere");
  EXPECT_EQ(no_model.exit_code, 1);
  EXPECT_THAT(no_model.text, HasSubstr("model nowhere"));
  const Diagnosis no_folder = RunDoctor("--data_dir=/proc/nowhere --listen=127.0.0.1:0 --http_listen= --admin_listen=");
  EXPECT_EQ(no_folder.exit_code, 1) << no_folder.text;
}

}  // namespace
}  // namespace sightline::testing
