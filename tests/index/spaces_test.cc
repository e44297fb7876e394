// Other spaces of a collection: filling one, swapping, going back, dropping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "index/store/spaces_file.h"
#include "tests/index/spaces_fixture.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using SpacesTest = SpacesFixture;

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
  FittedConfidence confidence;
  confidence.fit.model.a = 3;
  ASSERT_TRUE(collection_->SetConfidence(confidence).ok());
  ASSERT_TRUE(SwapAll().ok());
  collection_ = *database_->Find("shop");
  EXPECT_FALSE(collection_->Confidence()) << "it was fitted on other descriptors";
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
  ASSERT_TRUE(collection_->Confidence());
  EXPECT_EQ(collection_->Confidence()->fit.model.a, 3);

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

}  // namespace
}  // namespace sightline::index
