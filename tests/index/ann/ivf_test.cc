// Inverted lists over given centroids, against comparing with every row.
#include "index/ann/ivf.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/ann/ivf_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

std::shared_ptr<const CoarseQuantizer> Quantizer(const Clusters& clusters) {
  auto quantizer = CoarseQuantizer::Make(clusters.centres, clusters.dim);
  EXPECT_TRUE(quantizer.ok()) << quantizer.status();
  return *std::move(quantizer);
}

std::unique_ptr<Ivf> MakeIvf(const CodeTable& codes, std::shared_ptr<const CoarseQuantizer> quantizer) {
  auto ivf = Ivf::Create(codes, std::move(quantizer));
  EXPECT_TRUE(ivf.ok()) << ivf.status();
  return *std::move(ivf);
}

bool Always(uint32_t) { return true; }

void ExpectSame(const std::vector<ScoredRow>& actual, const std::vector<ScoredRow>& expected) {
  ASSERT_EQ(RowsOf(actual), RowsOf(expected));
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_EQ(actual[i].score, expected[i].score);
}

std::string Saved(const Ivf& ivf, uint32_t rows) {
  std::string bytes;
  EXPECT_TRUE(ivf.Save(rows,
                       [&bytes](absl::string_view part) {
                         bytes.append(part.data(), part.size());
                         return absl::OkStatus();
                       })
                  .ok());
  return bytes;
}

std::string Saved(const CoarseQuantizer& quantizer) {
  std::string bytes;
  EXPECT_TRUE(quantizer
                  .Save([&bytes](absl::string_view part) {
                    bytes.append(part.data(), part.size());
                    return absl::OkStatus();
                  })
                  .ok());
  return bytes;
}

TEST(IvfTest, AllListsGiveTheExactOrderOfEstimates) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t dim : {1, 3, 17, 64, 100}) {
    for (const size_t lists : {1, 2, 7, 150}) {
      for (const size_t rows : {0, 1, 15, 16, 17, 500}) {
        CodedRows data(random, lists, rows, dim, 0.5f);
        data.EncodeAll();
        const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
        // In two parts and from behind: rows may come in any order.
        ivf->Insert(static_cast<uint32_t>(rows / 2), static_cast<uint32_t>(rows));
        for (uint32_t row = 0; row < rows / 2; ++row) ivf->Insert(row);
        ASSERT_EQ(ivf->size(), rows);
        const std::vector<float> vector = data.clusters.Members(random, 1, 0.5f);
        const kernels::Int8Query query(data.codes.layout(), vector.data());
        for (const size_t k : {0, 1, 10, 1000}) {
          SCOPED_TRACE(absl::StrCat("dim ", dim, ", lists ", lists, ", rows ", rows, ", k ", k));
          const Ivf::Result found = ivf->Search({.query = &query, .k = k, .nprobe = lists, .accept = Always});
          ExpectSame(found.best, BestByEstimate(data.codes, query, static_cast<uint32_t>(rows), k, Always));
          EXPECT_EQ(found.compared, static_cast<int64_t>(rows));
          EXPECT_EQ(found.probed, lists);
        }
      }
    }
  }
}

TEST(IvfTest, FewListsCompareFewRows) {
  std::mt19937 random(1);
  CodedRows data(random, 50, 2000, 32, 0.2f);
  data.EncodeAll();
  const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
  ivf->Insert(0, 2000);
  const kernels::Int8Query query(data.codes.layout(), data.clusters.Row(7));
  const Ivf::Result found = ivf->Search({.query = &query, .k = 10, .nprobe = 1, .accept = Always});
  EXPECT_EQ(found.probed, 1u);
  EXPECT_GT(found.compared, 10);
  EXPECT_LT(found.compared, 200);
  // A row's neighbours are in its cluster, whose centre is its list's centroid.
  ExpectSame(found.best, BestByEstimate(data.codes, query, 2000, 10, Always));
}

TEST(IvfTest, TakesWhatPassesFilterAndAcceptOnly) {
  std::mt19937 random(2);
  CodedRows data(random, 20, 1000, 32, 0.5f);
  data.EncodeAll();
  const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
  ivf->Insert(0, 1000);
  const std::vector<float> vector = data.clusters.Members(random, 1, 0.5f);
  const kernels::Int8Query query(data.codes.layout(), vector.data());
  for (const uint32_t every : {1, 2, 10, 100, 999, 5000}) {
    RowBits filter{std::vector<uint64_t>((1000 + 63) / 64)};
    for (uint32_t row = every - 1; row < 1000; row += every) filter.words[row / 64] |= uint64_t{1} << row % 64;
    const auto alive = [](uint32_t row) { return row % 3 != 0; };
    const Ivf::Result found = ivf->Search({.query = &query, .k = 30, .nprobe = 20, .filter = &filter, .accept = alive});
    ExpectSame(found.best, BestByEstimate(data.codes, query, 1000, 30,
                                          [&](uint32_t row) { return row % every == every - 1 && alive(row); }));
  }
}

TEST(IvfTest, ASelectiveFilterLeadsOnToFurtherLists) {
  std::mt19937 random(3);
  CodedRows data(random, 50, 2000, 32, 0.5f);
  data.EncodeAll();
  const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
  ivf->Insert(0, 2000);
  const std::vector<float> vector = data.clusters.Members(random, 1, 0.5f);
  const kernels::Int8Query query(data.codes.layout(), vector.data());
  // Ten rows, fewer than any nearest list holds: all of them are compared, whatever nprobe.
  RowBits filter{std::vector<uint64_t>((2000 + 63) / 64)};
  for (uint32_t row = 100; row < 2000; row += 200) filter.words[row / 64] |= uint64_t{1} << row % 64;
  const Ivf::Result found = ivf->Search({.query = &query, .k = 10, .nprobe = 2, .filter = &filter, .accept = Always});
  EXPECT_EQ(found.compared, 10);
  ExpectSame(found.best,
             BestByEstimate(data.codes, query, 2000, 10, [&](uint32_t row) { return filter.Contains(row); }));
}

TEST(IvfTest, StopsWhenCancelled) {
  std::mt19937 random(4);
  CodedRows data(random, 4, 20'000, 8, 0.5f);
  data.EncodeAll();
  const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
  ivf->Insert(0, 20'000);
  const kernels::Int8Query query(data.codes.layout(), data.clusters.Row(0));
  int asked = 0;
  const std::function<bool()> cancelled = [&asked] { return ++asked == 2; };
  const Ivf::Result found =
      ivf->Search({.query = &query, .k = 10, .nprobe = 4, .accept = Always, .cancelled = &cancelled});
  EXPECT_TRUE(found.cancelled);
  EXPECT_LT(found.compared, 20'000);
}

TEST(IvfTest, RefusesWhatIsNotTrainedOrOfAnotherDimension) {
  std::mt19937 random(5);
  CodedRows data(random, 4, 10, 8, 0.5f);
  EXPECT_EQ(base::GetErrorInfo(Ivf::Create(data.codes, nullptr).status()).reason, "IVF_UNTRAINED");
  const Clusters other(random, 4, 10, 9, 0.5f);
  EXPECT_EQ(base::GetErrorInfo(Ivf::Create(data.codes, Quantizer(other)).status()).reason, "IVF_DIMENSION_MISMATCH");
}

TEST(IvfTest, SavedListsComeBack) {
  std::mt19937 random(6);
  CodedRows data(random, 30, 1000, 16, 0.5f);
  data.EncodeAll();
  const auto quantizer = Quantizer(data.clusters);
  const auto ivf = MakeIvf(data.codes, quantizer);
  ivf->Insert(0, 900);
  EXPECT_EQ(base::GetErrorInfo(ivf->Save(901, [](absl::string_view) { return absl::OkStatus(); })).reason,
            "IVF_INCOMPLETE");
  ivf->Insert(900, 1000);
  for (const uint32_t rows : {0, 1, 700, 1000}) {
    auto loaded = Ivf::Load(data.codes, quantizer, Saved(*ivf, rows));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ((*loaded)->size(), rows);
    EXPECT_EQ(Saved(**loaded, rows), Saved(*ivf, rows));
    // What was loaded grows on and finds what the first one finds.
    (*loaded)->Insert(rows, 1000);
    const kernels::Int8Query query(data.codes.layout(), data.clusters.Row(3));
    for (const size_t nprobe : {1, 3, 30}) {
      const Ivf::Request request{.query = &query, .k = 50, .nprobe = nprobe, .accept = Always};
      ExpectSame((*loaded)->Search(request).best, ivf->Search(request).best);
    }
  }
  const absl::Status full = ivf->Save(1000, [](absl::string_view) { return absl::ResourceExhaustedError("full"); });
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
}

TEST(IvfTest, HostileBytesAreRefused) {
  std::mt19937 random(7);
  CodedRows data(random, 30, 40, 8, 0.5f);
  data.EncodeAll();
  const auto quantizer = Quantizer(data.clusters);
  const auto ivf = MakeIvf(data.codes, quantizer);
  ivf->Insert(0, 40);
  const std::string good = Saved(*ivf, 40);
  const auto reason = [&](const std::string& bytes) {
    return base::GetErrorInfo(Ivf::Load(data.codes, quantizer, bytes).status()).reason;
  };
  for (size_t size = 0; size < good.size(); ++size) EXPECT_EQ(reason(good.substr(0, size)), "IVF_DAMAGED") << size;
  EXPECT_EQ(reason(good + '\0'), "IVF_DAMAGED");
  const auto with = [&good](size_t at, std::initializer_list<int> values) {
    std::string bytes = good;
    for (const int value : values) bytes[at++] = static_cast<char>(value);
    return bytes;
  };
  EXPECT_EQ(reason(with(0, {31})), "IVF_DAMAGED");                      // lists
  EXPECT_EQ(reason(with(4, {41})), "IVF_DAMAGED");                      // rows
  EXPECT_EQ(reason(with(4, {255, 255, 255, 255})), "IVF_DAMAGED");      // rows
  EXPECT_EQ(reason(with(4, {20, 0, 0, 128})), "IVF_DAMAGED");           // 2 * rows overflows 32 bits to 40
  EXPECT_EQ(reason(with(8, {30, 0})), "IVF_DAMAGED");                   // the first row's list
  EXPECT_EQ(reason(with(good.size() - 2, {255, 255})), "IVF_DAMAGED");  // the last row's list
  // More rows than the codes have room for.
  const CodeTable small(kernels::CodeLayout(8), 16, 39);
  EXPECT_EQ(base::GetErrorInfo(Ivf::Load(small, quantizer, good).status()).reason, "IVF_DAMAGED");
  // Whatever the bytes are, the answer is lists that can be searched or an error.
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (size_t i = 1 + random() % 3; i > 0; --i) bytes[random() % bytes.size()] = static_cast<char>(random());
    auto loaded = Ivf::Load(data.codes, quantizer, bytes);
    if (!loaded.ok()) continue;
    const kernels::Int8Query query(data.codes.layout(), data.clusters.Row(3));
    ExpectSame((*loaded)->Search({.query = &query, .k = 50, .nprobe = 30, .accept = Always}).best,
               BestByEstimate(data.codes, query, 40, 50, Always));
  }
}

TEST(IvfTest, SearchesGoOnWhileRowsAreInserted) {
  std::mt19937 random(8);
  constexpr uint32_t kRows = 4000;
  CodedRows data(random, 20, kRows, 16, 0.5f);
  const auto ivf = MakeIvf(data.codes, Quantizer(data.clusters));
  std::atomic<bool> failed = false;
  std::vector<std::thread> readers;
  for (unsigned t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937 own(100 + t);
      uint32_t seen = 0;
      while (seen < kRows && !failed) {
        seen = ivf->size();
        const std::vector<float> vector = data.clusters.Members(own, 1, 0.5f);
        const kernels::Int8Query query(data.codes.layout(), vector.data());
        const Ivf::Result found = ivf->Search(
            {.query = &query, .k = 20, .nprobe = 20, .accept = [seen](uint32_t row) { return row < seen; }});
        if (RowsOf(found.best) != RowsOf(BestByEstimate(data.codes, query, seen, 20, Always))) failed = true;
      }
    });
  }
  for (uint32_t row = 0; row < kRows;) {
    const uint32_t end = std::min<uint32_t>(kRows, row + 1 + random() % 40);
    for (uint32_t i = row; i < end; ++i) data.Encode(i);
    ivf->Insert(row, end);
    if (row % 7 == 0) Saved(*ivf, end);
    row = end;
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(failed);
}

TEST(CoarseQuantizerTest, FindsTheNearestCentroids) {
  std::mt19937 random(9);
  for (const size_t lists : {1, 2, 63, 64, 65, 300}) {
    CodedRows data(random, lists, 100, 24, 0.5f);
    data.EncodeAll();
    const auto quantizer = Quantizer(data.clusters);
    ASSERT_EQ(quantizer->lists(), lists);
    CodeTable centroids(kernels::CodeLayout(24), 512, 512);
    for (uint32_t list = 0; list < lists; ++list) {
      kernels::EncodeRow(centroids.layout(), data.clusters.centres.data() + list * 24, centroids.MutableRow(list));
    }
    std::vector<const uint8_t*> rows;
    for (uint32_t row = 0; row < 100; ++row) rows.push_back(data.codes.Row(row));
    std::vector<uint32_t> assigned(100);
    quantizer->Assign(rows, assigned.data());
    for (uint32_t row = 0; row < 100; ++row) {
      const kernels::Int8Query query(data.codes.layout(), rows[row]);
      const std::vector<ScoredRow> expected =
          BestByEstimate(centroids, query, static_cast<uint32_t>(lists), 10, Always);
      EXPECT_EQ(assigned[row], expected[0].row);
      const std::vector<uint32_t> nearest = quantizer->Nearest(query, 10);
      EXPECT_EQ(std::vector<uint64_t>(nearest.begin(), nearest.end()), RowsOf(expected));
    }
  }
}

TEST(CoarseQuantizerTest, RefusesWhatIsNoCentroids) {
  const std::vector<float> three = {1, 2, 3};
  EXPECT_FALSE(CoarseQuantizer::Make(three, 2).ok());
  EXPECT_FALSE(CoarseQuantizer::Make({}, 2).ok());
  EXPECT_FALSE(CoarseQuantizer::Make(three, 0).ok());
  const std::vector<float> infinite = {1, std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(CoarseQuantizer::Make(infinite, 1).ok());
}

TEST(CoarseQuantizerTest, HostileBytesAreRefused) {
  std::mt19937 random(10);
  const Clusters clusters(random, 5, 10, 6, 0.5f);
  const auto quantizer = Quantizer(clusters);
  const std::string good = Saved(*quantizer);
  auto loaded = CoarseQuantizer::Load(good, 6);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(Saved(**loaded), good);

  const auto damaged = [](const std::string& bytes, size_t dim) {
    return base::GetErrorInfo(CoarseQuantizer::Load(bytes, dim).status()).reason == "CENTROIDS_DAMAGED";
  };
  for (size_t size = 0; size < good.size(); ++size) EXPECT_TRUE(damaged(good.substr(0, size), 6)) << size;
  EXPECT_TRUE(damaged(good + '\0', 6));
  EXPECT_TRUE(damaged(good, 7));
  for (const size_t at : {0, 3, 4, 7}) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x80);
    EXPECT_TRUE(damaged(bytes, 6)) << at;
  }
  // No lists at all, and nothing behind the header.
  EXPECT_TRUE(damaged(std::string("\x06\0\0\0\0\0\0\0", 8), 6));
  // A scale that is negative, and one that is no number.
  for (const char top : {static_cast<char>(0xBF), static_cast<char>(0x7F)}) {
    std::string bytes = good;
    bytes[8 + 6 + 2] = static_cast<char>(0xFF);
    bytes[8 + 6 + 3] = top;
    EXPECT_TRUE(damaged(bytes, 6));
  }
}

TEST(CoarseQuantizerTest, DefaultsAreWithinBounds) {
  EXPECT_EQ(CoarseQuantizer::DefaultLists(-1), 1u);
  EXPECT_EQ(CoarseQuantizer::DefaultLists(0), 1u);
  EXPECT_EQ(CoarseQuantizer::DefaultLists(1'000'000), 4000u);
  EXPECT_EQ(CoarseQuantizer::DefaultLists(int64_t{1} << 60), CoarseQuantizer::kMaxLists);
  for (const size_t lists : {size_t{1}, size_t{5}, size_t{100}, CoarseQuantizer::kMaxLists}) {
    EXPECT_GE(CoarseQuantizer::DefaultNprobe(lists), 1u);
    EXPECT_LE(CoarseQuantizer::DefaultNprobe(lists), lists);
  }
}

}  // namespace
}  // namespace sightline::index
