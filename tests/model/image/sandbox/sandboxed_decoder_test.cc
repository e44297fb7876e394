#include "model/image/sandbox/sandboxed_decoder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

std::unique_ptr<SandboxedDecoder> StartDecoder(int helpers, Limits limits = {},
                                               absl::Duration time = absl::Seconds(2)) {
  auto decoder = SandboxedDecoder::Start(
      {.program = SIGHTLINE_DECODER_PROGRAM, .helpers = helpers, .limits = limits, .time = time});
  EXPECT_TRUE(decoder.ok()) << decoder.status();
  return decoder.ok() ? *std::move(decoder) : nullptr;
}

std::string StatusOf(pid_t pid) {
  std::string text;
  FILE* file = std::fopen(absl::StrCat("/proc/", pid, "/status").c_str(), "r");
  if (file == nullptr) return text;
  char line[256];
  while (std::fgets(line, sizeof(line), file) != nullptr) text += line;
  std::fclose(file);
  return text;
}

bool Gone(pid_t pid) { return ::kill(pid, 0) != 0; }

const std::string& NoisePng() {
  static const std::string bytes = MakePng(Noise(1200, 1000, 5));
  return bytes;
}

// Decodes an image and sends its helper, the only one, a signal at that: stopped until then, it cannot be done before.
absl::Status DecodeAndSignal(SandboxedDecoder& decoder, int signal) {
  const std::string& image = NoisePng();
  const pid_t helper = decoder.helpers().front();
  ::kill(helper, SIGSTOP);
  std::thread sender([helper, signal] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::kill(helper, signal);
    ::kill(helper, SIGCONT);
  });
  const absl::Status status = decoder.Decode(image, {}, {}).status();
  sender.join();
  return status;
}

TEST(SandboxedDecoderTest, GivesTheSamePixelsAsTheLibrary) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const Image image = Waves(75, 53);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const std::string& bytes :
         {MakeJpeg(image, {.markers = {{0xE1, MakeExif(orientation)}}}), MakePng(image, false, MakeTiff(orientation)),
          MakeWebpWithExif(image, MakeTiff(orientation)), MakeJpeg(image, {.progressive = true}),
          MakeJpeg(image, {.colour = JpegColour::kCmyk}), MakePng(image, true),
          MakeWebpWithAlpha(image, std::vector<uint8_t>(75 * 53, 90))}) {
      for (int wanted_side : {0, 12}) {
        const absl::StatusOr<Image> expected = Decode(bytes, {}, {.wanted_side = wanted_side});
        const absl::StatusOr<Image> got = decoder->Decode(bytes, {}, {.wanted_side = wanted_side});
        ASSERT_TRUE(expected.ok()) << expected.status();
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_EQ(got->width, expected->width);
        EXPECT_EQ(got->original_width, expected->original_width);
        EXPECT_EQ(got->original_height, expected->original_height);
        EXPECT_EQ(got->rgb, expected->rgb);
      }
    }
  }
  EXPECT_EQ(decoder->restarts().crash, 0);
}

TEST(SandboxedDecoderTest, RefusesInTheSameWords) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const std::string jpeg = MakeJpeg(Waves(96, 80));
  std::string damaged = MakePng(Waves(96, 80));
  damaged[damaged.size() / 2] ^= 1;
  for (const std::string& bytes : {std::string(), std::string("GIF89a"), jpeg.substr(0, jpeg.size() / 2), damaged,
                                   MakePngBomb(19000, 19000), MakeJpegHeader(65535, 65535)}) {
    const absl::Status expected = Decode(bytes, {}, {}).status();
    const absl::Status got = decoder->Decode(bytes, {}, {}).status();
    EXPECT_EQ(got.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(got.message(), expected.message());
    EXPECT_EQ(base::GetErrorInfo(got).reason, base::GetErrorInfo(expected).reason);
    EXPECT_EQ(base::GetErrorInfo(got).facts, base::GetErrorInfo(expected).facts);
  }
  EXPECT_EQ(decoder->restarts().crash, 0);
}

TEST(SandboxedDecoderTest, HelpersHaveGivenUpTheirRights) {
  const auto decoder = StartDecoder(2);
  ASSERT_NE(decoder, nullptr);
  ASSERT_EQ(decoder->helpers().size(), 2u);
  for (const pid_t pid : decoder->helpers()) {
    const std::string status = StatusOf(pid);
    EXPECT_TRUE(absl::StrContains(status, "Seccomp:\t2")) << status;
    EXPECT_TRUE(absl::StrContains(status, "NoNewPrivs:\t1")) << status;
    EXPECT_TRUE(absl::StrContains(status, "Threads:\t1")) << status;
    // Whoever runs the server: root could lift the limits below.
    EXPECT_TRUE(absl::StrContains(status, "CapPrm:\t0000000000000000")) << status;
    EXPECT_TRUE(absl::StrContains(status, "CapEff:\t0000000000000000")) << status;
    rlimit limit = {};
    ASSERT_EQ(::prlimit(pid, RLIMIT_AS, nullptr, &limit), 0);
    EXPECT_NE(limit.rlim_max, RLIM_INFINITY);
    ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
    EXPECT_EQ(limit.rlim_max, 0u);
  }
}

// A codec that crashes is played by a signal: only the image at work suffers, and the next one finds a new helper.
TEST(SandboxedDecoderTest, ACrashIsTheImagesOwn) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) {
    const auto decoder = StartDecoder(1);
    ASSERT_NE(decoder, nullptr);
    const pid_t helper = decoder->helpers().front();
    const absl::Status status = DecodeAndSignal(*decoder, signal);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::GetErrorInfo(status).reason, "IMAGE_CRASHED_DECODER");
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("signal ", signal))) << status;
    EXPECT_EQ(decoder->restarts().crash, 1);
    EXPECT_TRUE(Gone(helper));
    ASSERT_EQ(decoder->helpers().size(), 1u);
    EXPECT_NE(decoder->helpers().front(), helper);
    EXPECT_TRUE(decoder->Decode(MakePng(Waves(9, 9)), {}, {}).ok());
  }
}

TEST(SandboxedDecoderTest, OneThatIsKilledFromOutsideIsNotTheImagesFault) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const absl::Status status = DecodeAndSignal(*decoder, SIGKILL);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(base::GetErrorInfo(status).retry_after.has_value());
  EXPECT_EQ(decoder->restarts().crash, 1);
  EXPECT_TRUE(decoder->Decode(MakePng(Waves(9, 9)), {}, {}).ok());
}

TEST(SandboxedDecoderTest, OneThatIsKilledWhileItIsIdleCostsNoImage) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const pid_t helper = decoder->helpers().front();
  ASSERT_EQ(::kill(helper, SIGKILL), 0);
  while (!absl::StrContains(StatusOf(helper), "State:\tZ")) std::this_thread::yield();
  EXPECT_TRUE(decoder->Decode(NoisePng(), {}, {}).ok());
  EXPECT_EQ(decoder->restarts().crash, 1);
}

TEST(SandboxedDecoderTest, AHelperThatHangsIsReplacedAndOthersGoOn) {
  const auto decoder = StartDecoder(2, {}, absl::Milliseconds(700));
  ASSERT_NE(decoder, nullptr);
  ASSERT_EQ(::kill(decoder->helpers().back(), SIGSTOP), 0);
  std::atomic<bool> stop = false;
  std::atomic<int> others = 0;
  const std::string small = MakePng(Waves(9, 9));
  // Whichever of the two threads meets the stopped helper waits; the other one must not.
  std::vector<std::thread> threads;
  std::atomic<int> timeouts = 0;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const absl::Status status = decoder->Decode(small, {}, {}).status();
        if (base::GetErrorInfo(status).reason == "IMAGE_TOOK_TOO_LONG") {
          ++timeouts;
          stop = true;
        } else {
          EXPECT_TRUE(status.ok()) << status;
          ++others;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(timeouts, 1);
  EXPECT_GT(others, 20);
  EXPECT_EQ(decoder->restarts().timeout, 1);
  EXPECT_TRUE(decoder->Decode(small, {}, {}).ok());
}

pid_t ParentOf(pid_t pid) {
  const std::string status = StatusOf(pid);
  int parent = -1;
  EXPECT_EQ(std::sscanf(status.c_str() + status.find("PPid:"), "PPid:\t%d", &parent), 1) << status;
  return parent;
}

void AwaitDeath(pid_t pid) {
  while (!Gone(pid) && !absl::StrContains(StatusOf(pid), "State:\tZ")) std::this_thread::yield();
}

TEST(SandboxedDecoderTest, ASpawnerThatDiesIsReplaced) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const pid_t helper = decoder->helpers().front();
  ASSERT_EQ(::kill(ParentOf(helper), SIGKILL), 0);
  AwaitDeath(helper);
  const absl::Status status = decoder->Decode(MakePng(Waves(9, 9)), {}, {}).status();
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SandboxedDecoderTest, ASpawnerThatDiesCostsEachHelperOnce) {
  constexpr int kHelpers = 3;
  const auto decoder = StartDecoder(kHelpers);
  ASSERT_NE(decoder, nullptr);
  const std::vector<pid_t> before = decoder->helpers();
  ASSERT_EQ(::kill(ParentOf(before.front()), SIGKILL), 0);
  for (const pid_t pid : before) AwaitDeath(pid);
  std::vector<std::thread> threads;
  for (int i = 0; i < kHelpers; ++i) {
    threads.emplace_back([&] {
      for (int image = 0; image < 10; ++image) {
        const absl::Status status = decoder->Decode(NoisePng(), {}, {}).status();
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(decoder->restarts().crash, kHelpers);
  EXPECT_EQ(decoder->restarts().timeout, 0);
}

TEST(SandboxedDecoderTest, WhoIsAtWorkWhenTheSpawnerDiesMayTryAgain) {
  const auto decoder = StartDecoder(1);
  ASSERT_NE(decoder, nullptr);
  const pid_t helper = decoder->helpers().front();
  const pid_t spawner = ParentOf(helper);
  ASSERT_EQ(::kill(helper, SIGSTOP), 0);  // it cannot be done before
  std::thread killer([spawner] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::kill(spawner, SIGKILL);
  });
  const absl::Status status = decoder->Decode(NoisePng(), {}, {}).status();
  killer.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(base::GetErrorInfo(status).retry_after.has_value());
  EXPECT_TRUE(decoder->Decode(MakePng(Waves(9, 9)), {}, {}).ok());
}

TEST(SandboxedDecoderTest, AProgramThatIsGoneWhenItIsNeededIsTheOperatorsMatter) {
  const std::string program = ::testing::TempDir() + "/decoder-that-goes";
  std::filesystem::copy_file(SIGHTLINE_DECODER_PROGRAM, program, std::filesystem::copy_options::overwrite_existing);
  auto decoder = SandboxedDecoder::Start({.program = program});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  std::filesystem::remove(program);
  const pid_t helper = (*decoder)->helpers().front();
  ASSERT_EQ(::kill(ParentOf(helper), SIGKILL), 0);
  while (!Gone(helper) && !absl::StrContains(StatusOf(helper), "State:\tZ")) std::this_thread::yield();
  const absl::Status status = (*decoder)->Decode(NoisePng(), {}, {}).status();
  EXPECT_EQ(base::GetErrorInfo(status).reason, "DECODER_UNAVAILABLE") << status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(absl::StrContains(status.message(), program)) << "callers learn no paths";
  std::filesystem::copy_file(SIGHTLINE_DECODER_PROGRAM, program);
  EXPECT_TRUE((*decoder)->Decode(NoisePng(), {}, {}).ok()) << "and it works again once the program is there";
  std::filesystem::remove(program);
}

TEST(SandboxedDecoderTest, ProcessesEndWithTheDecoder) {
  auto decoder = StartDecoder(2);
  ASSERT_NE(decoder, nullptr);
  const std::vector<pid_t> helpers = decoder->helpers();
  decoder.reset();
  for (const pid_t pid : helpers) EXPECT_TRUE(Gone(pid));
}

TEST(SandboxedDecoderTest, AProgramThatIsNotThereIsNamed) {
  const absl::Status status = SandboxedDecoder::Start({.program = "/nowhere/sightline-decoder"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "the image decoder '/nowhere/sightline-decoder' cannot be started: No such file or directory. Put "
            "sightline-decoder beside sightline-server, name it with --decoder_program, or decode in the server with "
            "--decode_isolation=none.");
}

TEST(SandboxedDecoderTest, AProgramThatIsAnotherIsNoticed) {
  const absl::Status status = SandboxedDecoder::Start({.program = "/bin/true"}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(base::GetErrorInfo(status).reason, "DECODER_UNAVAILABLE") << status;
}

}  // namespace
}  // namespace sightline::image
