// What `sightline-bench quality` measures with: sets, judgements and the methods that need no training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/bench/local_matches.h"
#include "tests/bench/plain_descriptors.h"
#include "tests/bench/quality_options.h"
#include "tests/bench/quality_sets.h"
#include "tests/support/temp_folder.h"

namespace sightline::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLabels[] =
    "path,instance,family,view,split,difficulty,x0,y0,x1,y1\n"
    "index/a0.jpg,0,0,0,index,easy,1,1,9,9\n"
    "index/a1.jpg,0,0,1,index,hard,1,1,9,9\n"
    "index/a2.jpg,0,0,2,index,junk,0,0,0,0\n"
    "index/b0.jpg,1,0,0,index,hard,1,1,9,9\n"
    "query/a3.jpg,0,0,3,query,,2,3,8,7\n"
    "query/b1.jpg,1,0,1,query,,0,0,5,5\n";
constexpr char kTruth[] =
    "query,image,relevance\n"
    "query/a3.jpg,index/a0.jpg,easy\n"
    "query/a3.jpg,index/a1.jpg,hard\n"
    "query/a3.jpg,index/a2.jpg,junk\n"
    "query/b1.jpg,index/b0.jpg,hard\n";

class LandmarkSetTest : public ::testing::Test {
 protected:
  absl::StatusOr<QualitySet> Read(const std::string& labels, const std::string& truth) {
    std::ofstream(folder_.Path("labels.csv")) << labels;
    std::ofstream(folder_.Path("ground_truth.csv")) << truth;
    return LandmarkSet("made", folder_.path());
  }

  sightline::testing::TempFolder folder_;
};

TEST_F(LandmarkSetTest, SplitsAreThoseOfTheRevisitedProtocol) {
  const auto set = Read(kLabels, kTruth);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->precision, Precision::kTrapezoid);
  ASSERT_EQ(set->splits.size(), 3u);
  const Relevance& easy = set->splits[0].relevance;
  const Relevance& medium = set->splits[1].relevance;
  const Relevance& hard = set->splits[2].relevance;
  EXPECT_THAT(easy.positives, ElementsAre(ElementsAre(0), IsEmpty()));
  EXPECT_THAT(easy.ignored, ElementsAre(ElementsAre(2, 1), ElementsAre(3)));
  EXPECT_THAT(medium.positives, ElementsAre(ElementsAre(0, 1), ElementsAre(3)));
  EXPECT_THAT(medium.ignored, ElementsAre(ElementsAre(2), IsEmpty()));
  EXPECT_THAT(hard.positives, ElementsAre(ElementsAre(1), ElementsAre(3)));
  EXPECT_THAT(hard.ignored, ElementsAre(ElementsAre(2, 0), IsEmpty()));
  const auto crop = set->files.queries[0].crop;
  ASSERT_TRUE(crop.has_value());
  EXPECT_EQ(crop->x0, 2);
  EXPECT_EQ(crop->y1, 7);
  EXPECT_FALSE(set->files.database[0].crop.has_value());
}

TEST_F(LandmarkSetTest, RefusesTablesThatDoNotFit) {
  EXPECT_THAT(std::string(Read(kLabels, absl::StrCat(kTruth, "query/a3.jpg,index/z.jpg,easy\n")).status().message()),
              HasSubstr("no such picture to index"));
  EXPECT_THAT(std::string(Read(kLabels, absl::StrCat(kTruth, "index/a0.jpg,index/a0.jpg,easy\n")).status().message()),
              HasSubstr("no such query"));
  EXPECT_THAT(std::string(Read(kLabels, absl::StrCat(kTruth, "query/b1.jpg,index/a0.jpg,likely\n")).status().message()),
              HasSubstr("easy, hard or junk"));
  EXPECT_THAT(
      std::string(Read(absl::StrCat(kLabels, "../etc/a.jpg,1,0,0,index,easy,1,1,2,2\n"), kTruth).status().message()),
      HasSubstr("stay in the folder"));
  EXPECT_THAT(
      std::string(Read(absl::StrCat(kLabels, "index/a0.jpg,1,0,0,index,easy,1,1,2,2\n"), kTruth).status().message()),
      HasSubstr("named twice"));
  EXPECT_THAT(
      std::string(Read(absl::StrCat(kLabels, "query/c.jpg,1,0,0,query,,nan,1,2,2\n"), kTruth).status().message()),
      HasSubstr("x0"));
  EXPECT_THAT(std::string(Read(kLabels, "query,image,relevance\nquery/b1.jpg,index/a0.jpg,junk\n").status().message()),
              HasSubstr("no easy and no hard"));
  fs::remove(folder_.Path("ground_truth.csv"));
  EXPECT_FALSE(LandmarkSet("made", folder_.path()).ok());
}

TEST_F(LandmarkSetTest, DrawnQueriesKeepTheirTruth) {
  const auto set = Read(kLabels, kTruth);
  ASSERT_TRUE(set.ok()) << set.status();
  bool first = false, second = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const QualitySet drawn = DrawQueries(*set, 1, seed);
    ASSERT_EQ(drawn.files.queries.size(), 1u);
    const bool is_first = drawn.files.queries[0].object == 0;
    (is_first ? first : second) = true;
    EXPECT_THAT(drawn.splits.back().relevance.positives, ElementsAre(ElementsAre(is_first ? 1 : 3)));
    EXPECT_EQ(drawn.splits.size(), is_first ? 3u : 2u);  // the second query has no easy picture
    EXPECT_EQ(DrawQueries(*set, 1, seed).files.queries[0].path, drawn.files.queries[0].path);
  }
  EXPECT_TRUE(first && second);
  EXPECT_EQ(DrawQueries(*set, 2, 3).files.queries[1].path, set->files.queries[1].path);
}

TEST(RankingTest, JudgesHandMadeRankings) {
  // METHODS.md 6.2: positives {3, 5}, ignored {7, 1}; the second query has no positive.
  const Relevance relevance{.positives = {{3, 5}, {}}, .ignored = {{7, 1}, {}}};
  Rankings rankings(2);
  for (const int item : {7, 3, 9, 1, 5}) rankings[0].push_back({item, 0});
  rankings[1] = rankings[0];
  const RankingQuality trapezoid = Judge(relevance, WithoutIgnored(rankings, relevance), Precision::kTrapezoid);
  EXPECT_THAT(trapezoid.average_precision, ElementsAre(::testing::DoubleNear(0.7916667, 1e-7)));
  EXPECT_EQ(trapezoid.recall_at_1, 1);
  const RankingQuality plain = Judge(relevance, WithoutIgnored(rankings, relevance), Precision::kPlain);
  EXPECT_NEAR(plain.mean_average_precision(), (1 + 2.0 / 3) / 2, 1e-12);
  EXPECT_EQ(Judge(relevance, rankings, Precision::kPlain).recall_at_1, 0);
}

TEST(RankingTest, EqualScoresKeepTheOrderOfTheDatabase) {
  const Rankings rankings = RankBy(3, 5, [](size_t q, size_t i) { return i == q + 1 ? 1.0 : 0.0; });
  std::vector<int> items;
  for (const Ranked& result : rankings[2]) items.push_back(result.item);
  EXPECT_THAT(items, ElementsAre(3, 0, 1, 2, 4));
}

image::Image Filled(int width, int height, std::vector<uint8_t> colour) {
  image::Image image{.width = width, .height = height, .rgb = {}, .original_width = width, .original_height = height};
  for (int i = 0; i < width * height; ++i) image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  return image;
}

TEST(ColourHistogramTest, KnownColoursFallIntoTheirBins) {
  struct Known {
    std::vector<uint8_t> colour;
    size_t hue, saturation, value;
  };
  const Known colours[] = {{{255, 0, 0}, 0, 3, 3},   {{0, 255, 0}, 5, 3, 3},     {{0, 0, 255}, 10, 3, 3},
                           {{255, 0, 1}, 15, 3, 3},  {{255, 255, 255}, 0, 0, 3}, {{0, 0, 0}, 0, 0, 0},
                           {{100, 60, 60}, 0, 1, 1}, {{40, 50, 40}, 5, 0, 0}};
  for (const Known& known : colours) {
    const std::vector<float> histogram = ColourHistogram(Filled(3, 5, known.colour));
    ASSERT_EQ(histogram.size(), 256u);
    EXPECT_EQ(histogram[(known.hue * 4 + known.saturation) * 4 + known.value], 1)
        << int{known.colour[0]} << " " << int{known.colour[1]} << " " << int{known.colour[2]};
  }
}

TEST(ColourHistogramTest, IsOfLengthOneForNoise) {
  std::mt19937 random(8);
  image::Image image = Filled(17, 9, {0, 0, 0});
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  const std::vector<float> histogram = ColourHistogram(image);
  EXPECT_NEAR(std::inner_product(histogram.begin(), histogram.end(), histogram.begin(), 0.0), 1, 1e-5);
  const std::vector<float> tiny = TinyPicture(image);
  ASSERT_EQ(tiny.size(), 768u);
  EXPECT_NEAR(std::inner_product(tiny.begin(), tiny.end(), tiny.begin(), 0.0), 1, 1e-5);
  EXPECT_NEAR(std::accumulate(tiny.begin(), tiny.end(), 0.0), 0, 1e-4);
  EXPECT_THAT(TinyPicture(Filled(4, 4, {7, 7, 7})), ::testing::Each(0.0f));
}

std::vector<Picture> Described(const std::vector<LabelledFile>& files,
                               std::vector<float> (*describe)(const image::Image&)) {
  std::vector<Picture> pictures;
  for (const LabelledFile& file : files) {
    const auto image = ReadPicture(file);
    EXPECT_TRUE(image.ok()) << image.status();
    pictures.push_back({.object = file.object, .descriptor = describe(*image), .tokens = {}});
  }
  return pictures;
}

// The figures that came with the photographs, by another program.
TEST(GroceryTest, MeetsTheReferenceFigures) {
  const char* const shared = std::getenv("SIGHTLINE_SHARED_DATA");
  if (shared == nullptr || !fs::exists(absl::StrCat(shared, "/grocery/labels.csv"))) {
    GTEST_SKIP() << "grocery is not in SIGHTLINE_SHARED_DATA";
  }
  const auto set = GrocerySet(shared, 81);
  ASSERT_TRUE(set.ok()) << set.status();
  const auto judged = [&](std::vector<float> (*describe)(const image::Image&)) {
    return Judge(set->splits[0].relevance,
                 RankByCosine(Described(set->files.queries, describe), Described(set->files.database, describe)),
                 set->precision);
  };
  const RankingQuality colours = judged(BlurredColourHistogram);
  EXPECT_NEAR(colours.recall_at_1, 0.321, 0.01);
  EXPECT_NEAR(colours.mean_average_precision(), 0.233, 0.01);
  const RankingQuality pixels = judged(TinyPicture);
  EXPECT_NEAR(pixels.recall_at_1, 0.079, 0.002);
  EXPECT_NEAR(pixels.mean_average_precision(), 0.059, 0.001);
}

// Rectangles of random greys: corners for both kinds.
image::Image Rectangles(unsigned seed, int side) {
  std::mt19937 random(seed);
  image::Image image = Filled(side, side, {128, 128, 128});
  const auto below = [&random](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  for (int n = 0; n < 60; ++n) {
    const int x0 = below(side - 8), y0 = below(side - 8);
    const int x1 = std::min(side, x0 + 8 + below(40)), y1 = std::min(side, y0 + 8 + below(40));
    const auto grey = static_cast<uint8_t>(random());
    for (int y = y0; y < y1; ++y) {
      std::fill_n(image.rgb.begin() + 3 * (y * side + x0), 3 * (x1 - x0), grey);
    }
  }
  return image;
}

image::Image QuarterTurn(const image::Image& image) {
  image::Image out = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        out.rgb[static_cast<size_t>(3 * (x * image.width + image.height - 1 - y) + c)] =
            image.rgb[static_cast<size_t>(3 * (y * image.width + x) + c)];
      }
    }
  }
  return out;
}

class LocalMatchesTest : public ::testing::TestWithParam<LocalKind> {
 protected:
  static LocalMatches Match(const image::Image& a, const image::Image& b) {
    const auto first = FindLocal(GetParam(), a), second = FindLocal(GetParam(), b);
    EXPECT_TRUE(first.ok() && second.ok());
    const auto matches = MatchLocal(*first, *second);
    EXPECT_TRUE(matches.ok()) << matches.status();
    return *matches;
  }
};

TEST_P(LocalMatchesTest, ATurnedPictureMatchesAndAnotherDoesNot) {
  const image::Image image = Rectangles(1, 200);
  const LocalMatches turned = Match(image, QuarterTurn(image));
  const LocalMatches other = Match(image, Rectangles(2, 200));
  EXPECT_GT(turned.count, 100);
  EXPECT_GT(turned.agreeing, turned.count * 3 / 4);
  EXPECT_LT(other.agreeing, turned.agreeing / 3);
}

TEST_P(LocalMatchesTest, BlankPicturesMatchNothing) {
  const image::Image blank = Filled(64, 48, {200, 200, 200});
  EXPECT_EQ(Match(blank, Rectangles(1, 200)).count, 0);
  EXPECT_EQ(Match(Rectangles(1, 200), blank).count, 0);
  EXPECT_EQ(Match(Filled(1, 300, {9, 9, 9}), blank).count, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LocalMatchesTest, ::testing::Values(LocalKind::kOrb, LocalKind::kSift));

TEST(AgreeingTest, CountsTheFullestBin) {
  std::vector<LocalPoint> query, item;
  EXPECT_EQ(Agreeing(query, item), 0);
  for (int i = 0; i < 30; ++i) {  // turned by about 357 to 3 degrees, across zero; twice as large
    query.push_back({static_cast<float>(i * 12), 10});
    item.push_back({static_cast<float>(i * 12 + i % 7 - 3 + (i % 2 == 0 ? 360 : 0)), 20.0f + 0.1f * (i % 3 - 1)});
  }
  EXPECT_EQ(Agreeing(query, item), 30);
  for (int i = 0; i < 10; ++i) {  // the other way round
    query.push_back({0, 10});
    item.push_back({180, 20});
  }
  EXPECT_EQ(Agreeing(query, item), 30);
}

TEST(QualityOptionsTest, ReadsAndRefuses) {
  const auto options = ParseQuality({"--models", "a,b", "--masses=0.5,1", "--marginals", "uniform", "--pairs", "7"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->models, ElementsAre("a", "b"));
  EXPECT_EQ(options->pairs, 7);
  ASSERT_EQ(options->transports.size(), 2u);
  EXPECT_EQ(options->transports[0].name, "partial 0.5 uniform");
  EXPECT_EQ(options->transports[1].name, "full uniform");
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"--pairs", "0"},
                                                                                     {"--shortlist", "-1"},
                                                                                     {"--masses", "1,x"},
                                                                                     {"--masses", "1.5"},
                                                                                     {"--masses", "nan"},
                                                                                     {"--marginals", "most"},
                                                                                     {"--methods", "hsv,magic"},
                                                                                     {"--sets"},
                                                                                     {"grocery"}}) {
    const absl::Status status = ParseQuality(wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.front();
    EXPECT_TRUE(std::string(status.message()).ends_with(".")) << status;
  }
}

}  // namespace
}  // namespace sightline::bench
