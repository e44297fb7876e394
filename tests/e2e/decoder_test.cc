// Image decoders as processes of a real server: what their end costs, and that they end with it.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/picture.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {
namespace {

// The processes named "image-decoder" whose parent's parent is `server`.
std::vector<pid_t> DecodersOf(pid_t server) {
  const auto parent_of = [](pid_t pid, std::string* name) {
    FILE* const file = std::fopen(absl::StrCat("/proc/", pid, "/stat").c_str(), "r");
    if (file == nullptr) return -1;
    char comm[64] = {};
    int parent = -1;
    if (std::fscanf(file, "%*d (%63[^)]) %*c %d", comm, &parent) != 2) parent = -1;
    std::fclose(file);
    *name = comm;
    return parent;
  };
  std::vector<pid_t> decoders;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    int pid = 0;
    std::string name;
    std::string ignored;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const pid_t parent = parent_of(pid, &name);
    if (name == "image-decoder" && parent > 0 && parent_of(parent, &ignored) == server) decoders.push_back(pid);
  }
  return decoders;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> StartServer(const TempFolder& folder, std::vector<std::string> flags) {
  flags.insert(flags.end(), {"--models=dtop_seeded", "--allow_untrained", "--model_root=" SIGHTLINE_MODEL_ROOT});
  return ServerProcess::Start({.folder = folder.path(), .flags = std::move(flags)});
}

absl::Status Embed(client::Client& client, unsigned seed) {
  v1::EmbedRequest request;
  request.set_image(NoisePicture(seed));
  return client.Embed(request).status();
}

TEST(DecoderTest, KilledDecodersCostAtMostTheImagesAtHand) {
  const TempFolder folder;
  auto server = StartServer(folder, {"--decode_threads=2"});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto client = *client::Client::Connect({.address = (*server)->address()});
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        const absl::Status status = Embed(*client, i);
        if (status.ok()) {
          ++good;
        } else {
          EXPECT_TRUE(base::GetErrorInfo(status).reason == "DECODER_ENDED" ||
                      base::GetErrorInfo(status).reason == "IMAGE_CRASHED_DECODER")
              << status;
          ++lost;
        }
      }
    });
  }
  constexpr int kKills = 10;
  int killed = 0;
  // Decoders that are never there, or images that never come through, end the test and not the patience of its runner.
  for (int i = 0; i < 1200 && killed < kKills; ++i) {
    const std::vector<pid_t> decoders = DecodersOf((*server)->pid());
    if (!decoders.empty() && ::kill(decoders[0], killed % 2 == 0 ? SIGKILL : SIGSEGV) == 0) ++killed;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(killed, kKills);
  const int before = good;
  for (int i = 0; i < 6000 && good < before + 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(good, before + 3) << "images are decoded again: " << (*server)->Log();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(lost, kKills);
  EXPECT_TRUE((*server)->Running());
  EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
}

TEST(DecoderTest, DecodersEndWithTheirServer) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    const TempFolder folder;
    auto server = StartServer(folder, {"--decode_threads=3"});
    ASSERT_TRUE(server.ok()) << server.status();
    const std::vector<pid_t> decoders = DecodersOf((*server)->pid());
    ASSERT_EQ(decoders.size(), 3u);
    // One of them does not even listen.
    ASSERT_EQ(::kill(decoders[0], SIGSTOP), 0);
    (*server)->Signal(signal);
    (*server)->WaitForEnd();
    for (int i = 0; i < 1000; ++i) {
      const bool gone = std::all_of(decoders.begin(), decoders.end(), [](pid_t pid) { return ::kill(pid, 0) != 0; });
      if (gone) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    for (const pid_t pid : decoders) EXPECT_NE(::kill(pid, 0), 0) << "signal " << signal;
  }
}

TEST(DecoderTest, WithoutIsolationTheServerSaysSo) {
  const TempFolder folder;
  auto server = StartServer(folder, {"--decode_isolation=none"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(DecodersOf((*server)->pid()).empty());
  EXPECT_TRUE(absl::StrContains((*server)->Log(), "--decode_isolation=none")) << (*server)->Log();
  const auto client = *client::Client::Connect({.address = (*server)->address()});
  EXPECT_TRUE(Embed(*client, 1).ok());
  const auto info = client->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->decode_isolation(), v1::GetServerInfoResponse::DECODE_ISOLATION_NONE);
  EXPECT_TRUE(absl::StrContains((*server)->Page("/statusz"), "decoding INSIDE THE SERVER"));
}

TEST(DecoderTest, WhereAndWithWhatImagesAreDecodedIsPublished) {
  const TempFolder folder;
  auto server = StartServer(folder, {"--decode_memory=300M", "--decode_timeout=3s"});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto info = (*client::Client::Connect({.address = (*server)->address()}))->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->decode_isolation(), v1::GetServerInfoResponse::DECODE_ISOLATION_PROCESS);
  EXPECT_EQ(info->limits().decode_memory_bytes(), int64_t{300} << 20);
  EXPECT_EQ(info->limits().decode_timeout().seconds(), 3);
  EXPECT_GT(info->limits().grpc_memory_bytes(), 0);
  EXPECT_TRUE(absl::StrContains((*server)->Page("/statusz"),
                                "decoding in processes of its own, 3s for an image, 0.0 of 300.0 MiB in use"))
      << (*server)->Page("/statusz");
}

TEST(DecoderTest, AServerWithoutItsDecoderDoesNotStart) {
  const TempFolder folder;
  const absl::Status status = StartServer(folder, {"--decoder_program=/nowhere"}).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "'/nowhere' cannot be started")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "--decode_isolation=none")) << status;
}

}  // namespace
}  // namespace sightline::testing
