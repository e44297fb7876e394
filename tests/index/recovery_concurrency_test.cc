// Reads and searches go on while the files under them are opened again.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/log.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

using sightline::testing::Faults;

TEST(RecoveryConcurrencyTest, ReadersSeeNothingOfIt) {
  base::SetLogLevel(base::Severity::kOff);
  const sightline::testing::TempFolder folder(sightline::testing::FastFolder());
  Machine machine(folder.path());
  ASSERT_TRUE(machine.Open().ok());
  Truth truth(1);
  const Record record = NumberedWrite("stays", 1'000).record;
  ASSERT_TRUE(machine.collection->Put(NumberedWrite("stays", 1'000)).ok());
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&machine, &record, &stop, &reads, i] {
      while (!stop) {
        if (i == 0) {
          const auto got = machine.collection->Get("stays", RecordView::kVectors);
          EXPECT_TRUE(got.ok()) << got.status();
        } else if (i == 1) {
          const auto page = machine.collection->List(100, "", RecordView::kMetadata, "");
          EXPECT_TRUE(page.ok()) << page.status();
          (void)machine.collection->Stats();
        } else {
          SearchQuery query;
          query.descriptor = record.descriptor;
          const auto outcome = machine.collection->Search(query);
          EXPECT_TRUE(outcome.ok() && !outcome->hits.empty()) << outcome.status();
        }
        ++reads;
      }
    });
  }
  for (int round = 0; round < 8; ++round) {
    Faults faults;
    faults.sync = faults.create = true;
    faults.nth = 1;
    // Every second time they can only be read for a while.
    faults.from_then_on = round % 2 == 0;
    machine.env.Inject(faults);
    const int before = reads;
    truth.Write(*machine.collection);
    while (reads < before + 10) std::this_thread::yield();
    machine.env.Heal();
    EXPECT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace sightline::index
