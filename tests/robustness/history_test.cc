// R23: searches, writes, deletes, updates, snapshots and optimising at once, on few ids; what each id went through must
// have an order that explains every answer.
//
// SIGHTLINE_ROUNDS sets the number of rounds (2), SIGHTLINE_SEED the random choices (printed).
#include "tests/robustness/history.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

using sightline::testing::History;
using Kind = History::Kind;

constexpr int kIds = 6;
constexpr int kWriters = 3;
constexpr int kSteps = 16;  // of a writer; an id meets about twice as many operations

int EnvironmentNumber(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// The descriptor of an id points its own way, so that a search for it finds it first or not at all.
std::vector<float> OwnDescriptor(int id) {
  std::vector<float> descriptor(8, 0.01F);
  descriptor[static_cast<size_t>(id)] = 1;
  return descriptor;
}

int VersionOf(const Record& record) { return static_cast<int>(std::get<int64_t>(record.attributes.at("version"))); }

class HistoryTest : public IndexTest {
 protected:
  HistoryTest() {
    options_.segments.chunk_rows = 16;
    options_.segments.segment_rows = 64;
  }

  static std::string Name(int id) { return "id-" + std::to_string(id); }

  void WriteOne(int id, int version) {
    Write write = MakeWrite(Name(id), OwnDescriptor(id));
    write.record.attributes = {{"version", int64_t{version}}};
    const size_t operation = histories_[static_cast<size_t>(id)].Begin(Kind::kWrite, version);
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
    histories_[static_cast<size_t>(id)].End(operation, version);
  }
  void DeleteOne(int id) {
    const size_t operation = histories_[static_cast<size_t>(id)].Begin(Kind::kWrite, 0);
    const std::array<std::string, 1> ids = {Name(id)};
    ASSERT_TRUE(collection_->Delete(ids).ok());
    histories_[static_cast<size_t>(id)].End(operation, 0);
  }
  void ReadOne(int id) {
    const size_t operation = histories_[static_cast<size_t>(id)].Begin(Kind::kRead, 0);
    const auto record = collection_->Get(Name(id), RecordView::kMetadata);
    ASSERT_TRUE(record.ok() || absl::IsNotFound(record.status())) << record.status();
    histories_[static_cast<size_t>(id)].End(operation, record.ok() ? VersionOf(*record) : 0);
  }
  // A filter on the version reads the index, not the record.
  void SearchOne(int id, int version) {
    const std::vector<float> descriptor = OwnDescriptor(id);
    SearchQuery query;
    query.descriptor = descriptor;
    query.top_k = 1;
    query.filter = "version = " + std::to_string(version);
    const size_t operation = histories_[static_cast<size_t>(id)].Begin(Kind::kRead, version);
    const auto found = collection_->Search(query);
    ASSERT_TRUE(found.ok()) << found.status();
    // Another answer than this says only what the version is not.
    if (found->hits.size() == 1 && found->hits[0].id == Name(id)) {
      histories_[static_cast<size_t>(id)].End(operation, version);
    } else {
      histories_[static_cast<size_t>(id)].Drop(operation);
    }
  }

  void RunWriter(unsigned seed, std::atomic<int>& versions) {
    std::mt19937 random(seed);
    for (int step = 0; step < kSteps; ++step) {
      const int id = static_cast<int>(random() % kIds);
      const int version = ++versions;
      switch (random() % 4) {
        case 0: DeleteOne(id); break;
        case 1: ReadOne(id); break;
        default: WriteOne(id, version); SearchOne(id, version);
      }
    }
  }

  std::array<History, kIds> histories_;
};

TEST_F(HistoryTest, EveryIdHasAnOrderThatExplainsIt) {
  const auto seed =
      static_cast<unsigned>(EnvironmentNumber("SIGHTLINE_SEED", static_cast<int>(std::random_device()() >> 1)));
  std::printf("SIGHTLINE_SEED=%u\n", seed);
  std::fflush(stdout);
  Start();
  const int rounds = EnvironmentNumber("SIGHTLINE_ROUNDS", 2);
  std::atomic<int> versions = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int id = 0; id < kIds; ++id) {
      histories_[static_cast<size_t>(id)].Clear();
      DeleteOne(id);
    }
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (unsigned writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([&, writer] { RunWriter(seed + 100 * static_cast<unsigned>(round) + writer, versions); });
    }
    std::thread upkeep([&] {
      while (!stop) {
        EXPECT_TRUE(collection_->Optimize({}, nullptr).ok());
        const auto taken = database_->CreateSnapshot("shop", nullptr);
        EXPECT_TRUE(taken.ok()) << taken.status();
        if (taken.ok()) {
          EXPECT_TRUE(database_->DeleteSnapshot(taken->name).ok());
        }
      }
    });
    for (std::thread& thread : threads) thread.join();
    stop = true;
    upkeep.join();
    for (int id = 0; id < kIds; ++id) ReadOne(id);
    for (int id = 0; id < kIds; ++id) {
      EXPECT_TRUE(histories_[static_cast<size_t>(id)].Explained())
          << "no order explains what " << Name(id) << " went through:\n"
          << histories_[static_cast<size_t>(id)].Text();
    }
  }
}

// The judge itself.
TEST(HistoryJudgeTest, KnowsWhatCannotBe) {
  History stale;
  const size_t one = stale.Begin(Kind::kWrite, 1);
  stale.End(one, 1);
  const size_t two = stale.Begin(Kind::kWrite, 2);
  stale.End(two, 2);
  const size_t late = stale.Begin(Kind::kRead, 0);
  stale.End(late, 1);
  EXPECT_FALSE(stale.Explained()) << "a read that began after the second write saw the first";

  History overlap;
  const size_t writing = overlap.Begin(Kind::kWrite, 1);
  const size_t early = overlap.Begin(Kind::kRead, 0);
  overlap.End(early, 1);
  EXPECT_TRUE(overlap.Explained()) << "a write under way may be seen";
  const size_t later = overlap.Begin(Kind::kRead, 0);
  overlap.End(later, 0);
  EXPECT_FALSE(overlap.Explained()) << "and what was seen stays seen";
  overlap.End(writing, 1);
}

}  // namespace
}  // namespace sightline::index
