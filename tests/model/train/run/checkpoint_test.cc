#include "model/train/run/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/file.h"
#include "base/status.h"

namespace sightline::train {
namespace {

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("checkpoints_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::vector<model::NamedTensor> Tensors(float value) {
    const torch::Tensor map = torch::full({2, 3, 4, 5}, value);
    return {{"network/a", torch::arange(6, torch::kFloat).view({2, 3}) + value},
            {"network/b", map.contiguous(torch::MemoryFormat::ChannelsLast)}};
  }
  absl::Status Save(int64_t step) const {
    return SaveCheckpoint(folder_.string(), {.step = step, .feed = {2, 7}, .best_map = 0.1 + 0.2, .config_sha256 = "c"},
                          Tensors(static_cast<float>(step)));
  }
  // The step that is gone on from, its values checked; -1 for none.
  int64_t Restore() const {
    const auto tensors = Tensors(-1);
    const auto position = RestoreCheckpoint(folder_.string(), "c", tensors);
    EXPECT_TRUE(position.ok()) << position.status();
    if (!position.ok() || !position->has_value()) return -1;
    const auto expected = Tensors(static_cast<float>((*position)->step));
    for (size_t i = 0; i < tensors.size(); ++i) EXPECT_TRUE(torch::equal(tensors[i].tensor, expected[i].tensor));
    EXPECT_EQ((*position)->feed.epoch, 2);
    EXPECT_EQ((*position)->feed.batch, 7);
    EXPECT_EQ((*position)->best_map, 0.1 + 0.2);
    return (*position)->step;
  }
  std::string File(int64_t step) const {
    const std::string digits = std::to_string(step);
    return (folder_ / ("checkpoint-" + std::string(9 - digits.size(), '0') + digits + ".safetensors")).string();
  }

  std::filesystem::path folder_;
};

TEST_F(CheckpointTest, TheNewestTwoAreKeptAndTheNewestIsGoneOnFrom) {
  EXPECT_EQ(Restore(), -1);
  for (const int64_t step : {8, 9, 10}) ASSERT_TRUE(Save(step).ok());
  EXPECT_FALSE(std::filesystem::exists(File(8)));
  EXPECT_TRUE(std::filesystem::exists(File(9)));
  EXPECT_EQ(Restore(), 10);
}

TEST_F(CheckpointTest, AFileCutShortAnywhereGivesWayToTheOneBefore) {
  ASSERT_TRUE(Save(1).ok());
  ASSERT_TRUE(Save(2).ok());
  const auto size = std::filesystem::file_size(File(2));
  for (const uintmax_t kept : {uintmax_t{0}, uintmax_t{7}, uintmax_t{40}, size / 2, size - 1}) {
    ASSERT_TRUE(Save(2).ok());
    std::filesystem::resize_file(File(2), kept);
    EXPECT_EQ(Restore(), 1) << kept << " of " << size << " bytes";
  }
  // With nothing else to go on from it is an error, not a silent beginning.
  std::filesystem::remove(File(1));
  EXPECT_FALSE(RestoreCheckpoint(folder_.string(), "c", Tensors(-1)).ok());
}

TEST_F(CheckpointTest, AProcessKilledAtAnyMomentLeavesAWholeCheckpoint) {
  constexpr unsigned kSeed = 17;
  std::mt19937 random(kSeed);
  int64_t before = 1;
  ASSERT_TRUE(Save(before).ok());
  for (int round = 0; round < 12; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int64_t step = before + 1;; ++step) {
        if (!Save(step).ok()) ::_exit(1);
      }
    }
    ::usleep(1000 + random() % 30'000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << ", seed " << kSeed;
    const int64_t step = Restore();
    EXPECT_GE(step, before) << "round " << round << ", seed " << kSeed;
    before = step;
  }
  EXPECT_GT(before, 1) << "no child wrote anything";
}

TEST_F(CheckpointTest, OtherFilesAndForeignShapesAreNotTaken) {
  std::ofstream(folder_ / "checkpoint-12.safetensors") << "x";
  std::ofstream(folder_ / "checkpoint-000000012.safetensors.tmp") << "x";
  EXPECT_EQ(Restore(), -1);
  ASSERT_TRUE(Save(3).ok());
  const std::vector<model::NamedTensor> other = {{"network/a", torch::zeros({3, 3})}};
  EXPECT_FALSE(RestoreCheckpoint(folder_.string(), "c", other).ok());
  const auto foreign = RestoreCheckpoint(folder_.string(), "d", Tensors(0));
  EXPECT_EQ(base::GetErrorInfo(foreign.status()).reason, "CHECKPOINT_FOREIGN");
}

TEST_F(CheckpointTest, AValueThatFloat16CannotHoldIsRefused) {
  const std::vector<model::NamedTensor> tensors = {{"w", torch::full({2, 2}, 1e6)}};
  EXPECT_FALSE(SerializeTensors(tensors, true, {}).ok());
  EXPECT_TRUE(SerializeTensors(tensors, false, {}).ok());
  // Vectors stay as they are: a variance may be of any size.
  EXPECT_TRUE(SerializeTensors({{"v", torch::full({2}, 1e6)}}, true, {}).ok());
}

}  // namespace
}  // namespace sightline::train
