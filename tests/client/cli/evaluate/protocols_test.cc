// What each protocol makes of its files: the right ones by hand, and files that are not what they claim.
#include "client/cli/evaluate/protocols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/evaluate/files.h"
#include "client/cli/evaluate/rankings_file.h"
#include "client/cli/evaluate/score.h"
#include "tests/support/temp_folder.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProtocolsTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

  void ExpectRefusal(const absl::StatusOr<Benchmark>& benchmark, const std::string& says) {
    ASSERT_FALSE(benchmark.ok()) << says;
    EXPECT_EQ(benchmark.status().code(), absl::StatusCode::kInvalidArgument) << benchmark.status();
    EXPECT_THAT(std::string(benchmark.status().message()), HasSubstr(says));
    EXPECT_THAT(std::string(benchmark.status().message()), HasSubstr(". "));
    EXPECT_EQ(benchmark.status().message().back(), '.');
  }

  const ::sightline::testing::TempFolder temporary_;
  const fs::path folder_ = temporary_.path();
  const ProtocolOptions options_;
};

// The means of a rankings file by a benchmark.
std::vector<SplitScore> Scores(const Benchmark& benchmark, const std::string& rankings) {
  const auto file = ParseRankings("rankings.csv", rankings, benchmark);
  EXPECT_TRUE(file.ok()) << file.status();
  std::vector<QueryOutcome> outcomes;
  for (size_t q = 0; file.ok() && q < benchmark.queries.size(); ++q) {
    outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[q], file->rankings[q]));
  }
  outcomes.resize(benchmark.queries.size());
  return Mean(benchmark, outcomes);
}

// {'imlist': ['i0'...], 'qimlist': ['q'], 'gnd': [{'bbx': [..], list: [..]}]} in protocol 0.
std::string GndPickle(const std::string& lists) {
  std::string images;
  for (int i = 0; i < 10; ++i) absl::StrAppend(&images, "S'i", i, "'\na");
  return absl::StrCat("(dS'imlist'\n(l", images, "sS'qimlist'\n(lS'q'\nasS'gnd'\n(l(d",
                      "S'bbx'\n(lF1.5\naI2\naF30.5\naI40\nas", lists, "as.");
}

std::string List(const std::string& name, const std::vector<int>& indices) {
  std::string out = absl::StrCat("S'", name, "'\n(l");
  for (const int index : indices) absl::StrAppend(&out, "I", index, "\na");
  return out + "s";
}

TEST_F(ProtocolsTest, RevisitedKnownAnswers) {
  const auto benchmark =
      ReadRevisited(File("gnd.pkl", GndPickle(List("easy", {3}) + List("hard", {5}) + List("junk", {7, 1}))), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  ASSERT_EQ(benchmark->queries.size(), 1u);
  EXPECT_EQ(benchmark->queries[0].box->x0, 1.5);
  EXPECT_EQ(benchmark->queries[0].box->y1, 40);
  // The ranking 7, 3, 9, 1, 5 with 7 and 1 ignored: ranks 0 and 2 of two.
  const std::string rankings = "query,rank,image\nq,1,i7.jpg\nq,2,i3\nq,3,i9\nq,4,jpg/i1.jpg\nq,5,i5\n";
  const auto scores = Scores(*benchmark, rankings);
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_NEAR(scores[1].means[0], 0.7916666666666666, 1e-12);
  EXPECT_DOUBLE_EQ(scores[1].means[1], 1);          // mP@1
  EXPECT_NEAR(scores[1].means[2], 2.0 / 3, 1e-12);  // three positions up to the last right one
  EXPECT_DOUBLE_EQ(scores[0].means[0], 1);          // Easy: 5 is ignored too
  EXPECT_DOUBLE_EQ(scores[2].means[0], 0.25);       // Hard: 9, 5
  const std::string lines = "{\"query\":\"q\",\"images\":[\"i7\",\"i3\",\"i9\",\"i1\",\"i5\"]}\n";
  EXPECT_NEAR(Scores(*benchmark, lines)[1].means[0], 0.7916666666666666, 1e-12);
}

TEST_F(ProtocolsTest, AQueryWithoutRightImagesDoesNotCount) {
  const auto benchmark =
      ReadRevisited(File("gnd.pkl", GndPickle(List("easy", {}) + List("hard", {5}) + List("junk", {}))), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  const auto scores = Scores(*benchmark, "query,rank,image\nq,0,i5\n");
  EXPECT_EQ(scores[0].queries, 0);
  EXPECT_EQ(scores[0].excluded, 1);
  EXPECT_EQ(scores[2].queries, 1);
  EXPECT_EQ(scores[2].means[0], 1);
}

// A small file whose 2,600 queries share one list of 4,000 pictures.
TEST_F(ProtocolsTest, RefusesAPickleThatSaysFarMoreThanItHolds) {
  std::string images, queries, same, easy;
  for (int i = 0; i < 4000; ++i) absl::StrAppend(&images, "S'i", i, "'\na");
  for (int i = 0; i < 4000; ++i) absl::StrAppend(&easy, "I", i, "\na");
  for (int q = 0; q < 2600; ++q) absl::StrAppend(&queries, "S'q", q, "'\na");
  for (int q = 1; q < 2600; ++q) absl::StrAppend(&same, "g1\na");
  const std::string entry = absl::StrCat("(dS'easy'\n(l", easy, "sS'hard'\n(lsS'junk'\n(lsp1\na");
  ExpectRefusal(ReadRevisited(File("gnd.pkl", absl::StrCat("(dS'imlist'\n(l", images, "sS'qimlist'\n(l", queries,
                                                           "sS'gnd'\n(l", entry, same, "s.")),
                              options_),
                "at most 10000000 are read");
}

TEST_F(ProtocolsTest, RefusesPicklesThatAreNoGroundTruth) {
  const auto refused = [&](const std::string& bytes, const std::string& says) {
    ExpectRefusal(ReadRevisited(File("bad.pkl", bytes), options_), says);
  };
  const std::string rest = List("hard", {}) + List("junk", {});
  refused("", "cut off");
  refused("cos\nsystem\n(S'touch /me'\ntR.", "\"os.system\"");
  refused("(lI1\na.", "no list \"imlist\"");
  refused(GndPickle(List("ok", {1}) + List("junk", {})), "no list \"easy\"");
  refused(GndPickle(List("easy", {10}) + rest), "holds 10; there are 10 images");
  refused(GndPickle(List("easy", {-1}) + rest), "holds -1");
  refused(GndPickle("S'easy'\n(lS'a'\nas" + rest), "what is no number");
  refused("(dS'imlist'\n(lI1\nasS'qimlist'\n(lS'q'\nasS'gnd'\n(ls.", "no name of a picture");
  refused("(dS'imlist'\n(lS'a'\nasS'qimlist'\n(lS'q'\nasS'gnd'\n(ls.", "1 queries and ground truth for 0");
  refused("(dS'imlist'\n(lS'a\\x1b[2J'\nasS'qimlist'\n(lS'q'\nasS'gnd'\n(ls.", "no name of a picture");
  refused("(dS'imlist'\n(lS'a'\nasS'qimlist'\n(lS'q'\nasS'gnd'\n(l(dS'bbx'\n(lI1\naI2\naI1\naI4\nasas.", "rectangle");
}

TEST_F(ProtocolsTest, OxfordFromItsTextFiles) {
  File("gt/all_souls_1_query.txt", "oxc1_b 136.5 34.1 648.5 955.7\n");
  File("gt/all_souls_1_good.txt", "a\nb\n");
  File("gt/all_souls_1_ok.txt", "c\n");
  File("gt/all_souls_1_junk.txt", "d\n");
  const auto benchmark = ReadOxford((folder_ / "gt").string(), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  ASSERT_EQ(benchmark->queries.size(), 1u);
  EXPECT_EQ(benchmark->queries[0].name, "all_souls_1");
  EXPECT_EQ(benchmark->queries[0].picture, "b");
  EXPECT_EQ(benchmark->queries[0].box->x1, 648.5);
  // Ranks 0, 2 and 5 of three without d: (1 + 1 + 1/2 + 2/3 + 2/5 + 3/6) / 6.
  const auto scores = Scores(*benchmark,
                             "query,rank,image,score\nall_souls_1,1,b,0.9\nall_souls_1,2,x,0.8\nall_souls_1,3,a,0.7\n"
                             "all_souls_1,4,d,0.6\nall_souls_1,5,y,0.5\nall_souls_1,6,z,0.4\nall_souls_1,7,c,0.3\n");
  EXPECT_NEAR(scores[0].means[0], (1 + 1 + 0.5 + 2.0 / 3 + 0.4 + 0.5) / 6, 1e-12);
  File("gt/all_souls_1_query.txt", "b 1 2 x 4\n");
  ExpectRefusal(ReadOxford((folder_ / "gt").string(), options_), "four edges");
  File("gt/all_souls_1_query.txt", "b 1 2 1e999 4\n");
  ExpectRefusal(ReadOxford((folder_ / "gt").string(), options_), "four edges");
  fs::create_directories(folder_ / "empty");
  ExpectRefusal(ReadOxford((folder_ / "empty").string(), options_), "no file *_query.txt");
  const auto pickled = ReadOxford(File("gnd.pkl", GndPickle(List("ok", {1}) + List("junk", {2}))), options_);
  ASSERT_TRUE(pickled.ok()) << pickled.status();
  EXPECT_EQ(pickled->images.size(), 10u);
}

TEST_F(ProtocolsTest, Gldv2CountsAHundredAndSplitsByUsage) {
  const auto benchmark =
      ReadGldv2(File("retrieval_solution_v2.1.csv",
                     "id,images,Usage\nq1,a b c,Public\nq2,None,Ignored\nq3,d,Private\nq4,None,Public\n"),
                options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  EXPECT_EQ(benchmark->queries.size(), 2u);
  // q1: a first, b third of 3: (1 + 2/3) / 3. q3: fourth.
  const auto scores =
      Scores(*benchmark, "query,rank,image\nq1,1,index/0/a.jpg\nq1,2,x\nq1,3,b\nq3,1,x\nq3,2,y\nq3,3,z\nq3,4,d\n");
  EXPECT_NEAR(scores[0].means[0], 0.25, 1e-12);
  EXPECT_NEAR(scores[1].means[0], (1 + 2.0 / 3) / 3, 1e-12);
  EXPECT_NEAR(scores[2].means[0], (0.25 + (1 + 2.0 / 3) / 3) / 2, 1e-12);
  ExpectRefusal(ReadGldv2(File("bad.csv", "id,images,Usage\nq1,a,Both\n"), options_), "Usage");
  ExpectRefusal(ReadGldv2(File("bad.csv", "id,images\nq1,a\n"), options_), "no column \"Usage\"");
}

TEST_F(ProtocolsTest, MetricLearningWithAndWithoutTheQueryInR) {
  std::string table = "image_id class_id super_class_id path\n";
  for (const char* name : {"a", "b", "c", "d"}) absl::StrAppend(&table, "1 1 1 x/", name, ".JPG\n");
  absl::StrAppend(&table, "5 2 1 x/e.JPG\n");
  const auto benchmark = ReadMetricLearning(File("Ebay_test.txt", table), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  ASSERT_EQ(benchmark->queries.size(), 5u);
  EXPECT_EQ(benchmark->depth, 4);
  // Relevance [1, 0, 1, 0] for a, the query itself taken out first; e has no other of its class.
  const auto file = ParseRankings("r",
                                  "query,rank,image\nx/a.JPG,1,x/a.JPG\nx/a.JPG,2,x/b.JPG\nx/a.JPG,3,x/e.JPG\n"
                                  "x/a.JPG,4,x/c.JPG\nx/a.JPG,5,other\n",
                                  *benchmark);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->missing, 4);
  EXPECT_EQ(file->unknown_images, 1);
  const QueryOutcome outcome = ScoreQuery(*benchmark, benchmark->queries[0], file->rankings[0]);
  const std::vector<double>& values = outcome.splits[0].values;
  ASSERT_EQ(values.size(), 5u);
  EXPECT_NEAR(values[0], 0.5555555555555556, 1e-12);  // MAP@R
  EXPECT_EQ(values[1], 1);                            // P@1
  EXPECT_NEAR(values[2], 2.0 / 3, 1e-12);             // RP
  EXPECT_NEAR(values[3], 0.5, 1e-12);                 // RP with self
  EXPECT_NEAR(values[4], 0.4166666666666667, 1e-12);  // MAP@R with self
  EXPECT_FALSE(ScoreQuery(*benchmark, benchmark->queries[4], {}).splits[0].counted);
  ExpectRefusal(ReadMetricLearning(File("bad.txt", "a b c\n"), options_), "line 1 has 3 words");
  ExpectRefusal(ReadMetricLearning(File("bad.txt", "1 1 1 a\n"), options_), "Ebay_test.txt");
  ExpectRefusal(ReadMetricLearning(File("bad.txt", "image_id class_id super_class_id path\n1 1 1 ../a\n"), options_),
                "outside");
}

TEST_F(ProtocolsTest, CubTakesTheSecondHalfOfTheClasses) {
  File("cub/images.txt", "1 001.A/a.jpg\n2 101.B/b.jpg\n3 101.B/c.jpg\n");
  File("cub/image_class_labels.txt", "1 1\n2 101\n3 101\n");
  const auto benchmark = ReadMetricLearning((folder_ / "cub").string(), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  EXPECT_THAT(benchmark->images, ElementsAre("101.B/b.jpg", "101.B/c.jpg"));
  File("cub/image_class_labels.txt", "1 1\n2 101\n");
  ExpectRefusal(ReadMetricLearning((folder_ / "cub").string(), options_), "no class for the picture");
}

TEST_F(ProtocolsTest, MslsFindsWhatIsWithin25Metres) {
  const auto write = [&](const std::string& folder, const std::string& raw, const std::string& places) {
    File(folder + "/raw.csv", ",key,lon,lat,ca,captured_at,pano\n" + raw);
    File(folder + "/postprocessed.csv", ",key,easting,northing,unique_cluster,night\n" + places);
  };
  write("val/cph/database", "0,a,1,1,0,0,False\n1,b,1,1,0,0,False\n2,p,1,1,0,0,True\n",
        "0,a,100.0,100.0,0,False\n1,b,125.0,100.1,0,False\n2,p,100.0,100.0,0,False\n");
  write("val/cph/query", "0,q,1,1,0,0,False\n1,r,1,1,0,0,False\n", "0,q,100.0,75.0,0,False\n1,r,-500.0,0.0,0,False\n");
  write("val/sf/database", "0,c,1,1,0,0,False\n", "0,c,100.0,100.0,0,False\n");
  write("val/sf/query", "0,s,1,1,0,0,False\n", "0,s,100.0,100.0,0,False\n");
  const auto benchmark = ReadMsls((folder_ / "val").string(), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  EXPECT_THAT(benchmark->images, ElementsAre("a", "b", "c"));
  ASSERT_EQ(benchmark->queries.size(), 3u);
  ASSERT_EQ(benchmark->queries[0].judged.size(), 1u);  // a at 25 m, b at 35.4 m
  EXPECT_EQ(benchmark->queries[0].judged[0].image, 0);
  EXPECT_TRUE(benchmark->queries[1].judged.empty());
  // Of the other city nothing stands in the ranking of q: a is second, behind b.
  const auto scores = Scores(*benchmark, "query,rank,image\nq,1,c\nq,2,b\nq,3,a\ns,1,a\ns,2,b\ns,3,c\n");
  EXPECT_EQ(scores[0].queries, 2);
  EXPECT_EQ(scores[0].excluded, 1);
  EXPECT_DOUBLE_EQ(scores[0].means[0], 0.5);  // R@1: s alone
  EXPECT_DOUBLE_EQ(scores[0].means[1], 1);
  EXPECT_EQ(ReadMsls((folder_ / "val" / "sf").string(), options_)->queries.size(), 1u);
  File("val/sf/query/raw.csv", "key,pano\ns,Maybe\n");
  ExpectRefusal(ReadMsls((folder_ / "val").string(), options_), "True or False");
  ExpectRefusal(ReadMsls((folder_ / "val/cph/query").string(), options_), "postprocessed.csv");
}

TEST_F(ProtocolsTest, UkbenchAndHolidays) {
  std::string names;
  for (int i = 0; i < 8; ++i) absl::StrAppend(&names, "ukbench0000", i, ".jpg\n");
  const auto benchmark = ReadUkbench(File("names.txt", names), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  ASSERT_EQ(benchmark->queries.size(), 8u);
  // Itself, one of its three, one of another object, one more.
  const auto file = ParseRankings("r",
                                  "query,rank,image\nukbench00000,1,ukbench00000\nukbench00000,2,ukbench00003\n"
                                  "ukbench00000,3,ukbench00004\nukbench00000,4,ukbench00001\n"
                                  "ukbench00000,5,ukbench00002\n",
                                  *benchmark);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_DOUBLE_EQ(ScoreQuery(*benchmark, benchmark->queries[0], file->rankings[0]).splits[0].values[0], 3);
  ExpectRefusal(ReadUkbench(File("names.txt", "ukbench00000.jpg\n"), options_), "has 1 pictures");
  ExpectRefusal(ReadUkbench(File("names.txt", "cat.jpg\n"), options_), "not called ukbench");
  ExpectRefusal(ReadUkbench(File("names.txt", "\n"), options_), "names no picture");

  const auto holidays =
      ReadHolidays(File("names.txt", "100000.jpg\n100001.jpg\n100002.jpg\n100100.jpg\n100101.jpg\n"), options_);
  ASSERT_TRUE(holidays.ok()) << holidays.status();
  ASSERT_EQ(holidays->queries.size(), 2u);
  // The query itself is taken out: ranks 0 and 2 of two, and rank 0 of one.
  const auto scores = Scores(*holidays,
                             "query,rank,image\n100000,1,100000\n100000,2,100002\n100000,3,100100\n100000,4,100001\n"
                             "100100,1,100101\n");
  EXPECT_NEAR(scores[0].means[0], (0.7916666666666666 + 1) / 2, 1e-12);
  ExpectRefusal(ReadHolidays(File("names.txt", "100001.jpg\n"), options_), "which is its query");
  ExpectRefusal(ReadHolidays(File("names.txt", "cat.jpg\n"), options_), "six digits");
}

TEST_F(ProtocolsTest, TablesOfLabels) {
  const auto benchmark =
      ReadTable(File("labels.csv",
                     "path,split,product,x0,y0,x1,y1\na.jpg,train,1,,,,\nb.jpg,train,2,,,,\nq.jpg,test,1,1,2,3,4\n"),
                {.label = "product"});
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  EXPECT_THAT(benchmark->images, ElementsAre("a.jpg", "b.jpg"));
  ASSERT_EQ(benchmark->queries.size(), 1u);
  EXPECT_EQ(benchmark->queries[0].box->y1, 4);
  const auto scores = Scores(*benchmark, "query,rank,image\nq.jpg,1,b.jpg\nq.jpg,2,a.jpg\n");
  EXPECT_DOUBLE_EQ(scores[0].means[0], 0.5);  // mAP without trapezoids
  EXPECT_DOUBLE_EQ(scores[0].means[1], 0);    // R@1
  EXPECT_DOUBLE_EQ(scores[0].means[2], 1);    // R@5
  const auto alone = ReadTable(File("all.csv", "path,label\na,1\nb,1\nc,2\n"), options_);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->queries.size(), 3u);
  // A picture without a label is right for nobody, with a split or without; boxes are read either way.
  const auto unlabelled = ReadTable(File("all.csv", "path,label,x0,y0,x1,y1\na,,1,2,3,4\nb,,,,,\nc,1,,,,\n"), options_);
  ASSERT_TRUE(unlabelled.ok()) << unlabelled.status();
  for (const BenchQuery& query : unlabelled->queries) {
    EXPECT_FALSE(ScoreQuery(*unlabelled, query, {}).splits[0].counted) << query.name;
  }
  ASSERT_TRUE(unlabelled->queries[0].box.has_value());
  EXPECT_EQ(unlabelled->queries[0].box->x1, 3);
  EXPECT_FALSE(unlabelled->queries[1].box.has_value());
  const auto refused = [&](const std::string& text, const std::string& says) {
    ExpectRefusal(ReadTable(File("bad.csv", text), options_), says);
  };
  refused("", "empty");
  refused("path,label\n", "no pictures");
  refused("path,split\na,query\n", "no column \"label\"");
  refused("path,split,label\na,both,1\n", "both");
  refused("path,split,label\n../a,query,1\n", "inside");
  refused("path,split,label\n/etc/passwd,query,1\n", "inside");
  refused("path,split,label\na,query,1\na,index,1\n", "once");
  refused("path,split,label\na,index,1\n", "0 query pictures");
  refused("path,split,label,x0,y0,x1,y1\na,query,1,5,0,1,1\n", "x0 below x1");
  refused("path,split,label,x0,y0,x1,y1\na,query,1,nan,0,1,1\n", "x0");
  refused("path,split,label\na,query\n", "line 2");
}

TEST_F(ProtocolsTest, TablesOfRelevanceReadTheBoxesBeside) {
  File("set/labels.csv",
       "path,instance,split,x0,y0,x1,y1\nquery/q.jpg,0,query,1,2,3,4\nindex/a.jpg,0,index,,,,\n"
       "index/b.jpg,0,train,,,,\nindex/c.jpg,,database,,,,\nindex/d.jpg,,ignore,,,,\n");
  const auto benchmark = ReadTable(File("set/ground_truth.csv",
                                        "query,image,relevance\nquery/q.jpg,index/a.jpg,easy\n"
                                        "query/q.jpg,index/b.jpg,junk\n"),
                                   options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  EXPECT_EQ(benchmark->images.size(), 3u);
  EXPECT_FALSE(benchmark->open);
  ASSERT_TRUE(benchmark->queries[0].box.has_value());
  EXPECT_EQ(benchmark->queries[0].box->x1, 3);
  const auto scores =
      Scores(*benchmark,
             "query,rank,image\nquery/q.jpg,1,index/b.jpg\nquery/q.jpg,2,index/c.jpg\nquery/q.jpg,3,index/a.jpg\n");
  EXPECT_DOUBLE_EQ(scores[1].means[0], 0.25);
  EXPECT_EQ(scores[2].queries, 0);
  const auto refused = [&](const std::string& text, const std::string& says) {
    ExpectRefusal(ReadTable(File("bad.csv", text), options_), says);
  };
  refused("query,image,relevance\nq,a,maybe\n", "easy, hard or junk");
  refused("query,image,relevance\nq,a,easy\nq,a,hard\n", "twice");
  refused("query,image,relevance\n", "no queries");
}

TEST_F(ProtocolsTest, RefusesTwoOfOneName) {
  const auto refused = [&](const std::string& protocol, const std::string& path, const std::string& says) {
    for (const Protocol& one : Protocols()) {
      if (one.name == protocol) ExpectRefusal(ReadBenchmark(one, path, options_), says);
    }
  };
  const std::string pickle = GndPickle(List("easy", {3}) + List("hard", {5}) + List("junk", {7, 1}));
  refused("revisited", File("gnd.pkl", absl::StrReplaceAll(pickle, {{"'i4'", "'jpg/i3.jpg'"}})),
          "two images are called i3.");
  refused("metric_learning", File("Ebay_test.txt", "image_id class_id super_class_id path\n1 1 1 a\n2 1 1 a\n"),
          "two images are called a.");
  refused("holidays", File("names.txt", "100000.jpg\n100001.jpg\n100001.jpg\n"), "two images are called 100001.");
  refused("gldv2", File("gldv2.csv", "id,images,Usage\nq,a,Public\nq,b,Private\n"), "two queries are called q.");
}

TEST_F(ProtocolsTest, PicturesAreFoundByTheirStems) {
  const auto benchmark = ReadGldv2(File("gldv2.csv", "id,images,Usage\nq,a b,Public\n"), options_);
  ASSERT_TRUE(benchmark.ok()) << benchmark.status();
  File("index/0/a.jpg", "");
  File("index/1/b.png", "");
  File("index/1/z.jpg", "");
  File("test/q.jpg", "");
  const BenchFolders folders{.images = (folder_ / "index").string(), .queries = (folder_ / "test").string()};
  const auto files = FindBenchFiles(*benchmark, folders);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->queries, ElementsAre((folder_ / "test/q.jpg").string()));
  std::vector<std::string> ids;
  for (const ImageFile& file : files->database) ids.push_back(file.id);
  EXPECT_THAT(ids, ElementsAre("0/a.jpg", "1/b.png", "1/z.jpg"));
  const auto refusal = [&] { return std::string(FindBenchFiles(*benchmark, folders).status().message()); };
  File("test/again/q.jpg", "");
  EXPECT_THAT(refusal(), HasSubstr("are both the picture q. Remove one."));
  fs::remove_all(folder_ / "test/again");
  File("index/2/a.jpg", "");
  EXPECT_THAT(refusal(), HasSubstr("are both the picture a. Remove one."));
  fs::remove_all(folder_ / "index/2");
  fs::remove(folder_ / "index/1/b.png");
  EXPECT_THAT(refusal(), HasSubstr("1 of 2 images are not below"));
}

TEST_F(ProtocolsTest, RefusesRankingsThatAreNone) {
  const auto benchmark = ReadTable(File("all.csv", "path,label\na,1\nb,1\nc,2\n"), options_);
  ASSERT_TRUE(benchmark.ok());
  const auto refused = [&](const std::string& text, const std::string& says) {
    const auto file = ParseRankings("r.csv", text, *benchmark);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_THAT(std::string(file.status().message()), HasSubstr(says));
  };
  refused("", "empty");
  refused("query,image\na,b\n", "no column \"rank\"");
  refused("query,rank,image\nz,1,a\n", "no query \"z\"");
  refused("query,rank,image\na,-1,b\n", "rank");
  refused("query,rank,image\na,1.5,b\n", "rank");
  refused("query,rank,image\na,1,b\na,1,c\n", "rank 1 twice");
  refused("query,rank,image\na,1,b\na,2,b\n", "twice");
  refused("query,rank,image,score\na,1,b,nan\n", "score");
  refused("{\"query\":\"a\",\"images\":[1]}", "no text");
  refused("{\"query\":\"a\"}", "rank");
  refused("{\"query\":\"a\",\"rank\":1e99,\"image\":\"b\"}", "rank");
  refused("{\"query\":\"a\",\"rank\":0.5,\"image\":\"b\"}", "rank");
  refused("{", "no JSON object");
  refused("{\"query\":\"a\",\"images\":" + std::string(100'000, '[') + "}", "no JSON object");
  // What is written is read back, quotes and commas too.
  const std::string lines = RankingLines("a", {{.id = "b,\"x\"", .score = 0.5}, {.id = "b", .score = 0.25}});
  const auto again = ParseRankings("r.csv", absl::StrCat(kRankingsHeader, lines), *benchmark);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->rankings[0].size(), 2u);
  EXPECT_EQ(again->rankings[0][0].id, "b,\"x\"");
  EXPECT_EQ(again->rankings[0][1].image, 1);
}

// Over the published files, with rankings that a program of a few lines of Python, written from the protocol's
// definition, has measured: the image list in its order, and backwards.
struct RealAnswer {
  const char* file;
  bool reversed;
  size_t split;
  int64_t queries;
  double values[4];
};

constexpr RealAnswer kRealAnswers[] = {
    {"gnd_roxford5k.pkl", false, 0, 68, {0.009471919032, 0, 0, 0.019117647059}},
    {"gnd_roxford5k.pkl", false, 1, 70, {0.017113962848, 0, 0.02, 0.044285714286}},
    {"gnd_roxford5k.pkl", false, 2, 70, {0.008679383186, 0, 0.02, 0.025714285714}},
    {"gnd_roxford5k.pkl", true, 0, 68, {0.009400094817, 0, 0, 0.008823529412}},
    {"gnd_roxford5k.pkl", true, 1, 70, {0.016563958620, 0.057142857143, 0.025714285714, 0.024285714286}},
    {"gnd_roxford5k.pkl", true, 2, 70, {0.009040135567, 0.057142857143, 0.025714285714, 0.015714285714}},
    {"gnd_rparis6k.pkl", false, 0, 70, {0.017236235217, 0, 0.022857142857, 0.011428571429}},
    {"gnd_rparis6k.pkl", false, 1, 70, {0.040833321142, 0.114285714286, 0.037142857143, 0.041428571429}},
    {"gnd_rparis6k.pkl", false, 2, 70, {0.025149626441, 0.114285714286, 0.022857142857, 0.03}},
    {"gnd_rparis6k.pkl", true, 0, 70, {0.016332866987, 0, 0.017142857143, 0.017142857143}},
    {"gnd_rparis6k.pkl", true, 1, 70, {0.039536292952, 0, 0.022857142857, 0.048571428571}},
    {"gnd_rparis6k.pkl", true, 2, 70, {0.024804964480, 0, 0.005714285714, 0.031428571429}},
};

TEST(RealGroundTruthTest, CountsAndKnownAnswers) {
  const char* const data = std::getenv("SIGHTLINE_SHARED_DATA");
  if (data == nullptr) GTEST_SKIP() << "SIGHTLINE_SHARED_DATA is not set";
  for (const std::string file : {"gnd_roxford5k.pkl", "gnd_rparis6k.pkl"}) {
    const std::string path = absl::StrCat(data, "/revisited/", file);
    if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
    const auto benchmark = ReadRevisited(path, {});
    ASSERT_TRUE(benchmark.ok()) << benchmark.status();
    const bool oxford = file == "gnd_roxford5k.pkl";
    EXPECT_EQ(benchmark->images.size(), oxford ? 4993u : 6322u);
    ASSERT_EQ(benchmark->queries.size(), 70u);
    const QueryBox box = *benchmark->queries[0].box;
    EXPECT_THAT((std::vector<double>{box.x0, box.y0, box.x1, box.y1}),
                oxford ? ElementsAre(136.5, 34.1, 648.5, 955.7) : ElementsAre(130.0, 17.0, 843.0, 732.0));
    EXPECT_EQ(benchmark->queries[0].name, oxford ? "all_souls_000013" : "paris_defense_000605");
    size_t counts[3] = {};
    size_t without_easy = 0;
    for (const BenchQuery& query : benchmark->queries) {
      size_t easy = 0;
      for (const Judged& judged : query.judged) {
        ++counts[judged.grade == Grade::kEasy ? 0 : judged.grade == Grade::kHard ? 1 : 2];
        easy += judged.grade == Grade::kEasy ? 1 : 0;
      }
      without_easy += easy == 0 ? 1 : 0;
    }
    EXPECT_THAT(counts, oxford ? ElementsAre(3029, 2497, 1356) : ElementsAre(6874, 10350, 7153));
    EXPECT_EQ(without_easy, oxford ? 2u : 0u);

    Ranking ranking;
    for (size_t i = 0; i < benchmark->images.size(); ++i) {
      ranking.push_back({.id = benchmark->images[i], .image = static_cast<int32_t>(i)});
    }
    for (const bool reversed : {false, true}) {
      std::vector<QueryOutcome> outcomes;
      for (const BenchQuery& query : benchmark->queries) outcomes.push_back(ScoreQuery(*benchmark, query, ranking));
      const std::vector<SplitScore> scores = Mean(*benchmark, outcomes);
      for (const RealAnswer& answer : kRealAnswers) {
        if (answer.file != file || answer.reversed != reversed) continue;
        EXPECT_EQ(scores[answer.split].queries, answer.queries);
        for (size_t m = 0; m < 4; ++m) {
          EXPECT_NEAR(scores[answer.split].means[m], answer.values[m], 1e-10) << file << answer.split << m;
        }
      }
      std::reverse(ranking.begin(), ranking.end());
    }
    // Each query's own right images first: perfect, whatever is ignored.
    std::vector<QueryOutcome> perfect;
    for (const BenchQuery& query : benchmark->queries) {
      Ranking best;
      for (const Judged& judged : query.judged) {
        best.push_back({.id = benchmark->images[static_cast<size_t>(judged.image)], .image = judged.image});
      }
      perfect.push_back(ScoreQuery(*benchmark, query, best));
    }
    for (const SplitScore& score : Mean(*benchmark, perfect)) {
      for (const double value : score.means) EXPECT_DOUBLE_EQ(value, 1);
    }
  }
}

}  // namespace
}  // namespace sightline::cli
