// Request ids: a repeat within the retention time writes once, over restarts and within one batch.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "index/store/store.h"
#include "index/store/write_plan.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

class RequestsTest : public IndexTest {
 protected:
  RequestsTest() { Start(); }

  WriteResult Put(const std::string& id, const std::string& request_id) {
    const auto result = collection_->Put(MakeWrite(id, RandomVector(random_, 8), request_id));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : WriteResult();
  }

  std::mt19937 random_{99};
};

TEST_F(RequestsTest, ARepeatGivesTheFirstResult) {
  const WriteResult first = Put("", "request");
  EXPECT_FALSE(first.replayed);
  Restart();
  clock_.Advance(absl::Hours(24) - absl::Seconds(1));
  const WriteResult second = Put("", "request");
  EXPECT_TRUE(second.replayed);
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.revision, 1);
  EXPECT_EQ(collection_->Stats().images, 1);
  EXPECT_EQ(collection_->Stats().sequence, 1);
}

TEST_F(RequestsTest, AfterTheRetentionTimeItIsANewWrite) {
  Put("a", "request");
  clock_.Advance(absl::Hours(24));
  const WriteResult again = Put("a", "request");
  EXPECT_FALSE(again.replayed);
  EXPECT_EQ(again.revision, 2);
  // The entry just written must survive the clean-up of the old one.
  clock_.Advance(absl::Hours(23));
  Put("b", "");
  EXPECT_TRUE(Put("a", "request").replayed);
}

TEST_F(RequestsTest, AReplayedDeletionIsNotUndone) {
  Put("a", "request");
  const std::vector<std::string> ids = {"a"};
  ASSERT_TRUE(collection_->Delete(ids).ok());
  EXPECT_TRUE(Put("a", "request").replayed);
  EXPECT_EQ(collection_->Stats().images, 0);
}

TEST_F(RequestsTest, RefusesLongOnes) {
  EXPECT_FALSE(collection_->Put(MakeWrite("a", RandomVector(random_, 8), std::string(129, 'r'))).ok());
  EXPECT_FALSE(collection_->Put(MakeWrite("a", RandomVector(random_, 8), "a\nb")).ok());
}

// The planner alone, so that a batch holds exactly what the test puts there.
class WritePlanTest : public IndexTest {
 protected:
  WritePlanTest() {
    const std::string folder = folder_.path() + "/store";
    EXPECT_TRUE(Store::Create(folder, config_, resources_).ok());
    store_ = *Store::Open(folder, resources_, limits_);
    counters_ = store_->counters();
  }

  WritePlan NewPlan() { return WritePlan(*store_, limits_, {clock_.Now(), absl::Hours(24)}, counters_); }

  static PutOperation MakePut(const std::string& id, const std::string& request_id, const std::string& uri) {
    PutOperation operation;
    operation.stored.record.id = id;
    operation.stored.record.source_uri = uri;
    operation.request_id = request_id;
    operation.descriptor = {1, 0, 0, 0, 0, 0, 0, 0};
    operation.descriptor_value = EncodeDescriptor(operation.descriptor, DescriptorPrecision::kFloat32);
    return operation;
  }

  void Write(WritePlan& plan) {
    ASSERT_TRUE(plan.Finish().ok());
    ASSERT_TRUE(store_->Write(&plan.batch()).ok());
    counters_ = plan.counters();
  }

  void Reopen() {
    store_.reset();
    store_ = *Store::Open(folder_.path() + "/store", resources_, limits_);
  }

  int CountKeys(Family family) const {
    const StoreLease lease(*store_);
    const std::unique_ptr<rocksdb::Iterator> it(lease.db().NewIterator(rocksdb::ReadOptions(), lease.family(family)));
    int count = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
    return count;
  }

  RocksResources resources_{8 << 20, 8 << 20};
  RecordLimits limits_;
  std::unique_ptr<Store> store_;
  Counters counters_;
};

TEST_F(WritePlanTest, TwoWritesToOneIdInOneBatchAreOneAfterTheOther) {
  WritePlan plan = NewPlan();
  EXPECT_EQ(plan.Put(MakePut("a", "", "first"))->revision, 1);
  EXPECT_EQ(plan.Put(MakePut("a", "", "second"))->revision, 2);
  EXPECT_EQ(plan.Update({"a", {.set = {{"k", true}}, .remove = {}}, {}})->revision, 3);
  Write(plan);
  const auto key = store_->View().FindKey("a");
  ASSERT_TRUE(key.ok() && *key);
  const auto record = store_->View().Read(**key, RecordView::kVectors);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->source_uri, "second");
  EXPECT_EQ(record->revision, 3);
  EXPECT_EQ(record->attributes.count("k"), 1u);
  EXPECT_EQ(CountKeys(Family::kRecords), 1);
  EXPECT_EQ(CountKeys(Family::kDescriptors), 1);
  const BatchEffect effect = plan.TakeEffect();
  EXPECT_EQ(effect.added.size(), 2u);
  EXPECT_EQ(effect.killed, std::vector<uint64_t>{1});
  ASSERT_EQ(effect.attributes.size(), 1u);
  EXPECT_EQ(effect.attributes[0].first, 2u);
}

TEST_F(WritePlanTest, TwoWritesWithOneRequestIdInOneBatchWriteOnce) {
  WritePlan plan = NewPlan();
  EXPECT_FALSE(plan.Put(MakePut("a", "request", ""))->replayed);
  const auto repeat = plan.Put(MakePut("b", "request", ""));
  EXPECT_TRUE(repeat->replayed);
  EXPECT_EQ(repeat->id, "a");
  Write(plan);
  EXPECT_EQ(CountKeys(Family::kRecords), 1);
}

TEST_F(WritePlanTest, WriteDeleteWriteInOneBatchLeavesTheLast) {
  {
    WritePlan plan = NewPlan();
    EXPECT_EQ(plan.Put(MakePut("a", "", "first"))->revision, 1);
    EXPECT_EQ(plan.Delete({{"a", "a", "x"}, {}})->deleted, 1);
    EXPECT_EQ(plan.Delete({{"a"}, {}})->not_found, 1);
    EXPECT_EQ(plan.Put(MakePut("a", "", "last"))->revision, 1);
    Write(plan);
  }
  EXPECT_EQ(CountKeys(Family::kRecords), 1);
  EXPECT_EQ(CountKeys(Family::kIds), 1);
  Reopen();
  int rows = 0;
  const auto count = [&rows](uint64_t, const StoredRecord&) {
    ++rows;
    return absl::OkStatus();
  };
  ASSERT_TRUE(store_->ForEachRecord(count).ok());
  EXPECT_EQ(rows, 1);
}

TEST_F(WritePlanTest, OldRequestIdsAreRemovedInBoundedSteps) {
  for (int i = 0; i < 100; ++i) {
    WritePlan plan = NewPlan();
    ASSERT_TRUE(plan.Put(MakePut("a", absl::StrCat("request", i), "")).ok());
    Write(plan);
  }
  EXPECT_EQ(CountKeys(Family::kRequests), 200);
  clock_.Advance(absl::Hours(25));
  for (const int left : {2 * 36, 0}) {
    WritePlan plan = NewPlan();
    ASSERT_TRUE(plan.Put(MakePut("a", "", "")).ok());
    Write(plan);
    EXPECT_EQ(CountKeys(Family::kRequests), left);
  }
}

// Keys are found first and read later; a record that goes in between must not end the list.
TEST_F(WritePlanTest, APageOfKeysGoesOnWhereRecordsAreGone) {
  {
    WritePlan plan = NewPlan();
    for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(plan.Put(MakePut(id, "", "")).ok());
    ASSERT_TRUE(plan.Delete({{"b"}, {}}).ok());
    Write(plan);
  }
  std::optional<uint64_t> last_key;
  auto page = store_->View().ReadKeys({1, 2, 3}, 2, RecordView::kMetadata, &last_key);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->size(), 2u);
  EXPECT_EQ(last_key, 3u);
  last_key.reset();
  page = store_->View().ReadKeys({1, 3}, 2, RecordView::kMetadata, &last_key);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->size(), 2u);
  EXPECT_EQ(last_key, std::nullopt);
}

// What a batch whose sync failed may leave: a record under a key that its id does not lead to.
TEST_F(WritePlanTest, LoadingRemovesRecordsThatNoIdLeadsTo) {
  {
    WritePlan lost = NewPlan();
    ASSERT_TRUE(lost.Put(MakePut("a", "", "lost")).ok());
    counters_.next_key = lost.counters().next_key;
    WritePlan plan = NewPlan();
    ASSERT_TRUE(plan.Put(MakePut("a", "", "kept")).ok());
    ASSERT_TRUE(lost.Finish().ok());
    ASSERT_TRUE(store_->Write(&lost.batch()).ok());
    Write(plan);
  }
  EXPECT_EQ(CountKeys(Family::kRecords), 2);
  Reopen();
  std::vector<uint64_t> keys;
  const auto note = [&keys](uint64_t key, const StoredRecord&) {
    keys.push_back(key);
    return absl::OkStatus();
  };
  ASSERT_TRUE(store_->ForEachRecord(note).ok());
  EXPECT_EQ(keys, std::vector<uint64_t>{2});
  EXPECT_EQ(CountKeys(Family::kRecords), 1);
}

}  // namespace
}  // namespace sightline::index
