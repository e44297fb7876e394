// Other spaces of a collection: filling one, swapping, going back, dropping; and that a crash at any step leaves one
// collection, the old one or the new one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/kill_point.h"
#include "base/status.h"
#include "index/store/spaces_file.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kImages = 12;

// As a process of its own, which dies at a kill point when one is named. Returns its exit code, or minus the signal.
int InChild(const std::string& kill_point, const std::function<bool()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!kill_point.empty()) {
      ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
      ::setenv("SIGHTLINE_KILL_POINT", kill_point.c_str(), 1);
    }
    // What an earlier test of this program has found in the environment.
    base::internal::kill_point_state = base::internal::KillPointState::kUnknown;
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class SpacesTest : public IndexTest {
 protected:
  SpacesTest() {
    other_ = config_;
    other_.model = "new-model";
    other_.embedding_space = "new-space";
    other_.descriptor_dim = 4;
  }

  static std::vector<float> DescriptorOf(int i, int dim) {
    std::mt19937 random(static_cast<unsigned>(i));
    return RandomVector(random, dim);
  }
  static std::string IdOf(int i) { return absl::StrCat("image-", i); }

  void Fill() {
    for (int i = 0; i < kImages; ++i) {
      ASSERT_TRUE(collection_->Put(MakeWrite(IdOf(i), DescriptorOf(i, 8), absl::StrCat("request-", i))).ok());
    }
  }

  // The record of `from` with another descriptor.
  static absl::Status Carry(SpaceTransfer& transfer, const std::string& id, int number) {
    SIGHTLINE_ASSIGN_OR_RETURN(Record record, transfer.from()->Get(id, RecordView::kMetadata));
    record.descriptor = DescriptorOf(number, transfer.to()->config().descriptor_dim);
    return transfer.to()->Put({.record = std::move(record), .request_id = "", .copy = true}).status();
  }

  static absl::Status CarryAll(SpaceTransfer& transfer) {
    for (int i = 0; i < kImages; ++i) SIGHTLINE_RETURN_IF_ERROR(Carry(transfer, IdOf(i), i));
    return absl::OkStatus();
  }

  absl::Status SwapAll() {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto transfer, database_->OpenTransfer(other_));
    SIGHTLINE_RETURN_IF_ERROR(CarryAll(*transfer));
    return transfer->Swap(clock_.Now() + absl::Hours(1), [] { return absl::OkStatus(); });
  }

  size_t Folders() const {
    const auto folders = fs::directory_iterator(options_.directory + "/collections");
    return static_cast<size_t>(std::distance(fs::begin(folders), fs::end(folders)));
  }

  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  CollectionConfig other_;
};

TEST_F(SpacesTest, FillsBehindTheCollectionAndSwaps) {
  Start();
  Fill();
  EXPECT_FALSE(database_->FindOtherSpace("shop").has_value());
  EXPECT_EQ(Reason(database_->FindFillingSpace("shop").status()), "NO_OTHER_SPACE");
  EXPECT_EQ(Reason(database_->DropOtherSpace("shop")), "NO_OTHER_SPACE");
  auto transfer = *database_->OpenTransfer(other_);
  ASSERT_TRUE(CarryAll(*transfer).ok());
  EXPECT_EQ(database_->FindOtherSpace("shop")->images, kImages);
  EXPECT_FALSE(database_->FindOtherSpace("shop")->previous);
  EXPECT_EQ((*database_->FindFillingSpace("shop"))->config().model, "new-model");
  // Only one may work on it, and nobody sees it.
  EXPECT_EQ(Reason(database_->OpenTransfer(other_).status()), "REEMBED_RUNNING");
  EXPECT_EQ(Reason(database_->DropOtherSpace("shop")), "REEMBED_RUNNING");
  EXPECT_EQ(Reason(database_->Delete("shop").status()), "REEMBED_RUNNING");
  EXPECT_EQ(database_->List().size(), 1u);
  EXPECT_EQ((*database_->Find("shop"))->config().embedding_space, "space");
  EXPECT_EQ(Search(DescriptorOf(3, 8), 1)[0].id, IdOf(3)) << "searches see the old space";
  for (const auto& entry : fs::directory_iterator(options_.directory + "/collections")) {
    EXPECT_TRUE(absl::IsNotFound(database_->Find(entry.path().filename().string()).status()));
  }

  // What is written meanwhile is told, once.
  ASSERT_TRUE(collection_->UpdateAttributes(IdOf(1), {.set = {{"a", true}}, .remove = {}}).ok());
  const std::vector<std::string> two = {IdOf(2)};
  ASSERT_TRUE(collection_->Delete(two).ok());
  ASSERT_TRUE(collection_->Put(MakeWrite("late", DescriptorOf(99, 8), "request-late")).ok());
  EXPECT_THAT(transfer->TakeChanges(), ::testing::UnorderedElementsAre(IdOf(1), IdOf(2), "late"));
  EXPECT_TRUE(transfer->TakeChanges().empty());
  // An error at the last step leaves everything as it is.
  EXPECT_EQ(Reason(transfer->Swap(clock_.Now(), [] { return base::InvalidArgument("NO", "no. Not yet."); })), "NO");
  ASSERT_TRUE(collection_->Put(MakeWrite("later", DescriptorOf(98, 8))).ok());
  const absl::Status swapped = transfer->Swap(clock_.Now() + absl::Hours(1), [&]() -> absl::Status {
    EXPECT_THAT(transfer->TakeChanges(), ::testing::ElementsAre("later"));
    SIGHTLINE_RETURN_IF_ERROR(transfer->to()->Delete(two).status());
    SIGHTLINE_RETURN_IF_ERROR(Carry(*transfer, IdOf(1), 1));
    SIGHTLINE_RETURN_IF_ERROR(Carry(*transfer, "late", 99));
    return Carry(*transfer, "later", 98);
  });
  ASSERT_TRUE(swapped.ok()) << swapped;

  // Who found it before still reads from the old one, and writes nowhere.
  EXPECT_EQ(Search(DescriptorOf(3, 8), 1)[0].id, IdOf(3));
  const absl::Status moved = collection_->Put(MakeWrite("lost", DescriptorOf(5, 8))).status();
  EXPECT_EQ(Reason(moved), "COLLECTION_MOVED");
  EXPECT_TRUE(base::GetErrorInfo(moved).retry_after.has_value());
  EXPECT_EQ(Reason(collection_->Delete(two).status()), "COLLECTION_MOVED");
  EXPECT_EQ(Reason(collection_->UpdateAttributes(IdOf(1), {.set = {}, .remove = {}, .replace = true}).status()),
            "COLLECTION_MOVED");
  transfer.reset();

  for (int round = 0; round < 2; ++round) {
    collection_ = *database_->Find("shop");
    EXPECT_EQ(collection_->config().embedding_space, "new-space");
    EXPECT_EQ(collection_->Stats().images, kImages + 1);
    EXPECT_EQ(Search(DescriptorOf(3, 4), 1)[0].id, IdOf(3));
    const Record changed = *collection_->Get(IdOf(1), RecordView::kMetadata);
    EXPECT_EQ(changed.revision, 2) << "revisions go on";
    EXPECT_TRUE(changed.attributes.contains("a"));
    EXPECT_TRUE(absl::IsNotFound(collection_->Get(IdOf(2), RecordView::kMetadata).status()));
    const OtherSpace before = *database_->FindOtherSpace("shop");
    EXPECT_TRUE(before.previous);
    EXPECT_EQ(before.embedding_space, "space");
    EXPECT_EQ(before.images, kImages + 1);
    EXPECT_EQ(before.drop_time, clock_.Now() + absl::Hours(1));
    EXPECT_EQ(Reason(database_->FindFillingSpace("shop").status()), "NO_OTHER_SPACE");
    // Request ids are known on the other side.
    const auto again = collection_->Put(MakeWrite(IdOf(4), DescriptorOf(4, 4), "request-4"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->replayed);
    EXPECT_TRUE(collection_->Put(MakeWrite("late", DescriptorOf(99, 4), "request-late"))->replayed);
    Restart();
  }
}

TEST_F(SpacesTest, GoesOnWithWhatWasFilled) {
  Start();
  Fill();
  {
    const auto transfer = *database_->OpenTransfer(other_);
    ASSERT_TRUE(Carry(*transfer, IdOf(0), 0).ok());
  }
  Restart();
  EXPECT_EQ(database_->FindOtherSpace("shop")->images, 1);
  EXPECT_EQ(collection_->config().embedding_space, "space");
  CollectionConfig third = other_;
  third.embedding_space = "third-space";
  EXPECT_EQ(Reason(database_->OpenTransfer(third).status()), "OTHER_SPACE_KEPT");
  {
    const auto transfer = *database_->OpenTransfer(other_);
    EXPECT_EQ(transfer->to()->Stats().images, 1);
  }
  ASSERT_TRUE(database_->DropOtherSpace("shop").ok());
  EXPECT_EQ(Folders(), 1u);
  EXPECT_FALSE(database_->FindOtherSpace("shop").has_value());
  EXPECT_TRUE(database_->OpenTransfer(third).ok());
}

TEST_F(SpacesTest, GoesBackAndDropsWhatIsOld) {
  Start();
  Fill();
  ASSERT_TRUE(SwapAll().ok());
  collection_ = *database_->Find("shop");
  ASSERT_TRUE(collection_->Put(MakeWrite("new", DescriptorOf(50, 4))).ok());
  // Back: what is there already needs no work, what was written since does.
  {
    CollectionConfig back = config_;
    const auto transfer = *database_->OpenTransfer(back);
    EXPECT_EQ(transfer->to()->Stats().images, kImages);
    ASSERT_TRUE(Carry(*transfer, "new", 50).ok());
    ASSERT_TRUE(transfer->Swap(clock_.Now() + absl::Hours(1), [] { return absl::OkStatus(); }).ok());
  }
  Restart();
  EXPECT_EQ(collection_->config().embedding_space, "space");
  EXPECT_EQ(collection_->Stats().images, kImages + 1);
  EXPECT_EQ(Search(DescriptorOf(3, 8), 1)[0].id, IdOf(3));
  EXPECT_EQ(database_->FindOtherSpace("shop")->embedding_space, "new-space");

  database_->TidySpaces();
  EXPECT_TRUE(database_->FindOtherSpace("shop").has_value()) << "its time has not come";
  clock_.Advance(absl::Hours(2));
  database_->TidySpaces();
  EXPECT_FALSE(database_->FindOtherSpace("shop").has_value());
  EXPECT_EQ(Folders(), 1u);
  Restart();
  EXPECT_EQ(collection_->Stats().images, kImages + 1);
}

TEST_F(SpacesTest, ASpaceThatIsOnlyKeptTakesNoMemory) {
  Start();
  Fill();
  ASSERT_TRUE(SwapAll().ok());
  const int64_t with_reader = database_->memory_bytes();
  database_->TidySpaces();
  EXPECT_EQ(database_->memory_bytes(), with_reader) << "somebody may still search in it";
  EXPECT_EQ(Search(DescriptorOf(3, 8), 1)[0].id, IdOf(3));
  collection_.reset();
  database_->TidySpaces();
  EXPECT_LT(database_->memory_bytes(), with_reader);
  EXPECT_EQ(database_->FindOtherSpace("shop")->images, kImages);
}

TEST_F(SpacesTest, DeletingACollectionDeletesItsOtherSpace) {
  Start();
  Fill();
  ASSERT_TRUE(SwapAll().ok());
  EXPECT_EQ(*database_->Delete("shop"), kImages);
  EXPECT_EQ(Folders(), 0u);
  EXPECT_TRUE(absl::IsNotFound(database_->OpenTransfer(other_).status()));
  EXPECT_TRUE(absl::IsNotFound(database_->DropOtherSpace("shop")));
  ASSERT_TRUE(database_->Create(config_).ok());
  EXPECT_FALSE(database_->FindOtherSpace("shop").has_value());
}

TEST_F(SpacesTest, ADamagedFileSetsAsideWhatItCannotTell) {
  Start();
  Fill();
  ASSERT_TRUE(SwapAll().ok());
  config_.name = "other";
  ASSERT_TRUE(database_->Create(config_).ok());
  collection_.reset();
  database_.reset();
  const std::string path = options_.directory + "/spaces";
  std::string bytes = *base::ReadFile(path, 1 << 20);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ASSERT_TRUE(base::WriteFileDurably(path, bytes).ok());
  Open();
  EXPECT_TRUE(database_->Find("other").ok());
  const absl::Status damaged = database_->Find("shop").status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("Move the other one away"));
  EXPECT_EQ(Folders(), 3u) << "nothing is deleted";
}

TEST_F(SpacesTest, ReadsNoFileThatIsNotOne) {
  const SpacesByName spaces = {{"shop",
                                {.live_folder = "shop.1",
                                 .other_folder = "shop.2",
                                 .previous = true,
                                 .drop_time = absl::FromUnixSeconds(5),
                                 .model = "m",
                                 .embedding_space = "s",
                                 .descriptor_dim = 4,
                                 .images = 7}}};
  const std::string whole = EncodeSpaces(spaces);
  const SpacesByName read = *DecodeSpaces(whole);
  EXPECT_EQ(read.at("shop").other_folder, "shop.2");
  EXPECT_EQ(read.at("shop").drop_time, absl::FromUnixSeconds(5));
  EXPECT_EQ(read.at("shop").images, 7);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(DecodeSpaces(whole.substr(0, size)).ok());
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::string flipped = whole;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(DecodeSpaces(flipped).ok());
  }
}

TEST_F(SpacesTest, ACrashAtAnyStepLeavesOneOrTheOther) {
  struct Step {
    const char* point;
    const char* space;  // of the collection afterwards
    bool other;         // whether there is another one then
  };
  for (const Step& step :
       {Step{"space.named", "space", false}, Step{"space.moved", "space", true},
        Step{"space.before_swap", "space", true}, Step{"space.after_swap", "new-space", true},
        Step{"space.before_drop", "new-space", true}, Step{"space.after_drop", "new-space", false}}) {
    SCOPED_TRACE(step.point);
    fs::remove_all(options_.directory);
    const int died = InChild(step.point, [&] {
      Start();
      Fill();
      const absl::Status swapped = SwapAll();
      collection_.reset();
      return swapped.ok() && database_->DropOtherSpace("shop").ok();
    });
    EXPECT_EQ(died, -SIGKILL) << "the point was not passed";
    const int well = InChild("", [&] {
      Open();
      const auto found = database_->Find("shop");
      if (!found.ok() || database_->List().size() != 1 || !database_->damaged().empty()) {
        std::printf("not one collection: %s\n", found.status().ToString().c_str());
        return false;
      }
      collection_ = *found;
      const std::string space = collection_->config().embedding_space;
      const int dim = collection_->config().descriptor_dim;
      const bool other = database_->FindOtherSpace("shop").has_value();
      const bool whole = collection_->Stats().images == kImages && Search(DescriptorOf(3, dim), 1)[0].id == IdOf(3);
      std::printf("%s: %s, %s\n", step.point, space.c_str(), other ? "another" : "no other");
      if (space != step.space || other != step.other || !whole) return false;
      // And it goes on from there.
      if (space == "space") return SwapAll().ok();
      return !other || database_->DropOtherSpace("shop").ok();
    });
    EXPECT_EQ(well, 0);
  }
}

}  // namespace
}  // namespace sightline::index
