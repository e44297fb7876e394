// What the tests of other spaces share: a collection with a few images, and one of another space to fill.
#ifndef SIGHTLINE_TESTS_INDEX_SPACES_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_SPACES_FIXTURE_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {

class SpacesFixture : public IndexTest {
 protected:
  static constexpr int kImages = 12;

  SpacesFixture() {
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
    const auto folders = std::filesystem::directory_iterator(options_.directory + "/collections");
    return static_cast<size_t>(std::distance(std::filesystem::begin(folders), std::filesystem::end(folders)));
  }

  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  CollectionConfig other_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_SPACES_FIXTURE_H_
