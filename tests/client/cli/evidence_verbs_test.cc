// The verbs of re-ranking, evidence, confidence and duplicates, against a server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/run.h"
#include "tests/client/support/cli_test.h"
#include "tests/client/support/evidence.h"

namespace sightline::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EvidenceVerbsTest : public testing::StillCliTest {
 protected:
  void Keep(const std::string& id, v1::ImageView view) {
    v1::ImageRecord image;
    image.set_id(id);
    image.set_width(640);
    image.set_height(480);
    image.set_image(testing::kJpegBytes);
    server_.KeepImage("shop", image, view);
  }

  v1::Operation Ended(const google::protobuf::Message& result) {
    v1::Operation operation;
    operation.set_name("operations/7");
    operation.set_state(v1::Operation::STATE_SUCCEEDED);
    operation.mutable_result()->PackFrom(result);
    return operation;
  }

  v1::Operation Pending() {
    v1::Operation operation;
    operation.set_name("operations/7");
    operation.set_state(v1::Operation::STATE_PENDING);
    return operation;
  }
};

v1::ConfidenceModel Fitted() {
  v1::ConfidenceModel model;
  model.set_a(8);
  model.set_b(4.25);
  model.set_c(-9.5);
  model.set_score_only_a(10);
  model.set_score_only_c(-7);
  model.set_pairs(1234);
  model.set_log_loss(0.125);
  model.set_expected_error(0.02);
  model.set_accuracy(0.96);
  model.mutable_fit_time()->set_seconds(1'700'000'000);
  model.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  model.mutable_rerank()->set_mass(0.6);
  return model;
}

TEST_F(EvidenceVerbsTest, SearchSendsHowToReRank) {
  EXPECT_EQ(RunWords({"search",
                      "--id",
                      "a",
                      "-c",
                      "shop",
                      "--rerank",
                      "ot",
                      "--shortlist",
                      "200",
                      "--mass",
                      "0.6",
                      "--epsilon",
                      "0.1",
                      "--marginals",
                      "cross_correlation",
                      "--temperature",
                      "0.2",
                      "--weight",
                      "0",
                      "--query-cells",
                      "49",
                      "--result-cells",
                      "48",
                      "--min-confidence",
                      "0.5"}),
            kNothingFound)
      << err_;
  const v1::SearchRequest request = server_.last_search();
  const v1::RerankOptions& rerank = request.rerank();
  EXPECT_EQ(rerank.method(), v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  EXPECT_EQ(rerank.shortlist(), 200);
  EXPECT_EQ(rerank.mass(), 0.6);
  EXPECT_EQ(rerank.epsilon(), 0.1);
  EXPECT_EQ(rerank.marginals(), v1::RerankOptions::MARGINALS_CROSS_CORRELATION);
  EXPECT_EQ(rerank.temperature(), 0.2);
  EXPECT_TRUE(rerank.has_weight());
  EXPECT_EQ(rerank.weight(), 0);
  EXPECT_EQ(rerank.query_cells(), 49);
  EXPECT_EQ(rerank.result_cells(), 48);
  EXPECT_EQ(request.min_confidence(), 0.5);
  EXPECT_FALSE(request.has_explain());
}

TEST_F(EvidenceVerbsTest, WhatIsNotSaidIsLeftToTheModel) {
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop"}), kNothingFound);
  EXPECT_FALSE(server_.last_search().has_rerank());
  EXPECT_FALSE(server_.last_search().has_min_confidence());
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--mass", "0.5"}), kNothingFound);
  EXPECT_EQ(server_.last_search().rerank().method(), v1::RerankOptions::METHOD_UNSPECIFIED);
  EXPECT_FALSE(server_.last_search().rerank().has_epsilon());
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--rerank", "off"}), kNothingFound);
  EXPECT_EQ(server_.last_search().rerank().method(), v1::RerankOptions::METHOD_OFF);
}

TEST_F(EvidenceVerbsTest, WrongUsageIsSaidInTwoSentences) {
  const std::string image = File("a.jpg", testing::kJpegBytes);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"search", "--id", "a", "-c", "shop", "--rerank", "on"},
                                             {"search", "--id", "a", "-c", "shop", "--rerank", "off", "--mass", "0.5"},
                                             {"search", "--id", "a", "-c", "shop", "--marginals", "cc"},
                                             {"search", "--id", "a", "-c", "shop", "--mass", "much"},
                                             {"search", "--id", "a", "-c", "shop", "--mass", "nan"},
                                             {"search", "--id", "a", "-c", "shop", "--correspondences", "3"},
                                             {"explain", image},
                                             {"explain", image, image, image},
                                             {"explain", image, "id:"},
                                             {"explain", image, "id:x"},
                                             {"explain", "id:x", image, "-c", "shop", "--crop", "0,0,1,1"},
                                             {"explain", image, "id:x", "-c", "shop", "--crop-b", "0,0,1,1"},
                                             {"explain", image, image, "--crop", "1,1,0,0"},
                                             {"duplicates"},
                                             {"duplicates", "shop", "-c", "shop"},
                                             {"confidence", "-c", "shop"},
                                             {"confidence", "guess", "-c", "shop"},
                                             {"confidence", "fit", "-c", "shop"},
                                             {"confidence", "fit", "-c", "shop", "--label", "sku", "--pairs", "x.csv"},
                                             {"confidence", "show"},
                                             {"confidence", "show", "-c", "shop", "--label", "sku"}}) {
    EXPECT_EQ(RunWords(words), kUsage) << absl::StrCat(words[0], " ", words.back()) << err_;
    EXPECT_EQ(out_, "");
    EXPECT_THAT(err_, AllOf(StartsWith("sightline: "), HasSubstr("."))) << words.back();
  }
}

TEST_F(EvidenceVerbsTest, ExplainPrintsThePartsAndTheBoxes) {
  v1::ExplainResponse response;
  *response.mutable_evidence() = testing::TwoPairs();
  server_.SetExplainResponse(response);
  EXPECT_EQ(RunWords({"explain", File("a.jpg", testing::kJpegBytes), "id:b", "-c", "shop", "--crop", "1,2,30,40",
                      "--mass", "0.75", "--correspondences", "2"}),
            kOk)
      << err_;
  EXPECT_EQ(out_, absl::StrCat(Path("a.jpg"),
                               " and id:b\n"
                               "very likely the same object: 0.97\n"
                               "rerank score       1.8000 = cosine 0.8000 + 2 * structural score 0.5000\n"
                               "mass transported   0.7500\n"
                               "#    mass  cosine  box in the first         box in the second\n"
                               "1  0.5000  0.7500  0.000,0.500,0.500,1.000  0.500,0.000,1.000,0.500\n"
                               "2  0.2500  0.6250  0.000,0.500,0.500,1.000  0.500,0.000,1.000,0.500\n"));
  const v1::ExplainRequest request = server_.last_explain();
  EXPECT_EQ(request.collection(), "shop");
  EXPECT_EQ(request.query().image(), testing::kJpegBytes);
  EXPECT_EQ(request.query().crop().x1(), 30);
  EXPECT_EQ(request.query().crop().unit(), v1::CropBox::UNIT_PIXEL);
  EXPECT_EQ(request.result().id(), "b");
  EXPECT_FALSE(request.result().has_crop());
  EXPECT_EQ(request.rerank().mass(), 0.75);
  EXPECT_EQ(request.options().correspondences(), 2);
  EXPECT_FALSE(request.options().heat_maps());
}

TEST_F(EvidenceVerbsTest, ExplainWithoutPairsOrConfidenceSaysSo) {
  v1::ExplainResponse response;
  response.mutable_evidence()->set_score(-0.25);
  response.mutable_evidence()->set_weight(1);
  response.mutable_model()->set_untrained(true);
  response.mutable_model()->set_model("tiny");
  server_.SetExplainResponse(response);
  const std::string image = File("a.jpg", testing::kJpegBytes);
  EXPECT_EQ(RunWords({"explain", image, image}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("cosine -0.2500 + 1 * structural score 0.0000"),
                          HasSubstr("no patch of one matches a patch of the other\n"), Not(HasSubstr("object:"))));
  EXPECT_THAT(err_, HasSubstr("WARNING: The model tiny is untrained"));
  EXPECT_EQ(server_.last_explain().collection(), "") << "two files need no collection";
}

TEST_F(EvidenceVerbsTest, ExplainWritesAPage) {
  v1::ExplainResponse response;
  *response.mutable_evidence() = testing::TwoPairs();
  server_.SetExplainResponse(response);
  Keep("<b>", v1::IMAGE_VIEW_PREVIEW);
  const std::string image = File("a.jpg", testing::kJpegBytes);
  EXPECT_EQ(RunWords({"explain", image, "id:<b>", "-c", "shop", "--html", Path("why.html")}), kOk) << err_;
  EXPECT_TRUE(server_.last_explain().options().heat_maps());
  EXPECT_EQ(server_.last_explain().options().correspondences(), 40);
  EXPECT_THAT(err_, HasSubstr("wrote "));
  EXPECT_THAT(out_, StartsWith("very likely the same object: 0.97\nrerank score "));
  const std::string page = Content("why.html");
  EXPECT_THAT(page, AllOf(StartsWith("<!doctype html>"), HasSubstr("640 \u00d7 480"), HasSubstr("&lt;b&gt;"),
                          Not(HasSubstr("<b>\"")), HasSubstr("sightline explain "), Not(HasSubstr("No picture"))));
  EXPECT_THAT(page, HasSubstr("--html")) << "the command is there";
  EXPECT_THAT(page, Not(HasSubstr("&quot;image&quot;:&quot;/9j/"))) << "the request is there without the bytes";

  EXPECT_EQ(RunWords({"explain", image, image, "--html", "-"}), kOk);
  EXPECT_THAT(out_, StartsWith("<!doctype html>"));
  EXPECT_EQ(RunWords({"explain", image, image, "--html", Path("no/such/folder.html")}), kError);
}

TEST_F(EvidenceVerbsTest, APictureThatIsNotKeptIsAReason) {
  v1::ExplainResponse response;
  *response.mutable_evidence() = testing::TwoPairs();
  server_.SetExplainResponse(response);
  Keep("none", v1::IMAGE_VIEW_METADATA);
  const std::string text = File("notes.jpg", "no picture at all");
  EXPECT_EQ(RunWords({"explain", text, "id:none", "-c", "shop", "--html", Path("why.html")}), kOk) << err_;
  EXPECT_THAT(Content("why.html"), AllOf(HasSubstr("No picture: it is no JPEG, PNG or WebP file"),
                                         HasSubstr("No picture: the collection keeps none.")));
}

TEST_F(EvidenceVerbsTest, ExplainJsonIsTheResponse) {
  v1::ExplainResponse response;
  *response.mutable_evidence() = testing::TwoPairs();
  server_.SetExplainResponse(response);
  const std::string image = File("a.jpg", testing::kJpegBytes);
  EXPECT_EQ(RunWords({"explain", image, image, "--json"}), kOk);
  EXPECT_THAT(out_, StartsWith(R"({"evidence":{"correspondences":[{"query_box":{"x0":0,)"));
}

TEST_F(EvidenceVerbsTest, SearchWritesAPageOfItsResults) {
  v1::SearchResponse response;
  for (int i = 0; i < 3; ++i) {
    auto& result = *response.add_results();
    result.set_id(absl::StrCat("r", i));
    result.set_rank(i + 1);
    result.set_rank_before_rerank(3 - i);
    result.set_score(0.5);
    result.set_rerank_score(0.75);
    result.set_confidence(0.9);
    if (i < 2) *result.mutable_evidence() = testing::TwoPairs();
    if (i < 1) Keep("r0", v1::IMAGE_VIEW_ORIGINAL);
  }
  response.mutable_stats()->set_degraded(true);
  response.mutable_stats()->add_degraded_reasons("Re-ranking ran out of time.");
  server_.SetSearchResponse(response);
  EXPECT_EQ(RunWords({"search", File("q.jpg", testing::kJpegBytes), "-c", "shop", "-k", "300", "--explain",
                      Path("why.html"), "--correspondences", "7", "--crop", "0,0,0.5,0.5"}),
            kDegraded)
      << err_;
  EXPECT_TRUE(server_.last_search().explain().enabled());
  EXPECT_TRUE(server_.last_search().explain().heat_maps());
  EXPECT_EQ(server_.last_search().explain().results(), 100);
  EXPECT_EQ(server_.last_search().explain().correspondences(), 7);
  EXPECT_THAT(out_, StartsWith("rank  id   score  confidence  rerank  was\n"
                               "   1  r0  0.5000       0.900  0.7500    3\n"));
  const std::string page = Content("why.html");
  EXPECT_THAT(page, AllOf(HasSubstr("<h2>1. <bdi>r0</bdi> <span class=\"note\">was 3</span></h2>"),
                          HasSubstr("<h2>2. <bdi>r1</bdi></h2>"), HasSubstr("No evidence: "),
                          HasSubstr("Re-ranking ran out of time."), HasSubstr("data-crops=\"[[0,0,0.5,0.5,0]]\""),
                          HasSubstr("likely the same object: 0.90")));
  EXPECT_THAT(page, HasSubstr("there is no image &quot;r1&quot;. Index it first."));
}

TEST_F(EvidenceVerbsTest, DuplicatesAreGroups) {
  v1::FindDuplicatesResult result;
  auto& group = *result.add_groups();
  group.add_ids("a");
  group.add_ids("b\x1b");
  group.set_min_confidence(0.93);
  group.add_pairs()->set_confidence(0.93);
  auto& other = *result.add_groups();
  other.add_ids("c");
  other.add_ids("d");
  auto& pair = *other.add_pairs();
  pair.set_score(0.9512);
  pair.set_structural_score(0.8123);
  other.add_pairs()->set_score(0.97);
  result.set_images(480);
  result.set_verified_pairs(2400);
  result.set_total_groups(3);
  server_.SetOperationSteps({Pending(), Ended(result)});
  EXPECT_EQ(RunWords({"duplicates", "-c", "shop", "--min-confidence", "0.9", "--min-score", "0.8",
                      "--min-structural-score", "0.7", "--filter", "a = 1", "--neighbours", "20"}),
            kOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("group 1: 2 images, confidence at least 0.93\n  a\n  b\\x1b\n"
                              "group 2: 2 images, score at least 0.9512, structural score at least 0.8123\n  c\n  d\n"
                              "and 1 group more, which are not listed\n"
                              "3 groups among 480 images; 2,400 pairs compared by their patches\n"));
  const v1::FindDuplicatesRequest request = server_.last_duplicates();
  EXPECT_EQ(request.collection(), "shop");
  EXPECT_EQ(request.min_confidence(), 0.9);
  EXPECT_EQ(request.min_score(), 0.8);
  EXPECT_EQ(request.min_structural_score(), 0.7);
  EXPECT_EQ(request.filter(), "a = 1");
  EXPECT_EQ(request.neighbours(), 20);

  server_.SetOperationSteps({Pending(), Ended(result)});
  EXPECT_EQ(RunWords({"duplicates", "-c", "shop", "--json"}), kOk);
  EXPECT_THAT(out_, AllOf(StartsWith(R"({"name":"operations/7")"), HasSubstr(R"("ids":["a","b\u001b"])")));
  EXPECT_FALSE(server_.last_duplicates().has_min_confidence());

  server_.SetOperationSteps({Pending(), Ended(v1::FindDuplicatesResult())});
  EXPECT_EQ(RunWords({"duplicates", "-c", "shop"}), kNothingFound);
  EXPECT_THAT(out_, HasSubstr("no duplicates among 0 images"));
  server_.SetOperationSteps({Pending()});
  EXPECT_EQ(RunWords({"duplicates", "-c", "shop", "--detach"}), kOk);
  EXPECT_EQ(out_, "operations/7\n");
}

TEST_F(EvidenceVerbsTest, AFailedSearchForDuplicatesIsAnError) {
  v1::Operation failed = Pending();
  failed.set_state(v1::Operation::STATE_FAILED);
  failed.mutable_error()->set_message("the disk is full. Free some.");
  server_.SetOperationSteps({Pending(), failed});
  EXPECT_EQ(RunWords({"duplicates", "-c", "shop"}), kError);
  EXPECT_THAT(err_, HasSubstr("sightline: operations/7 failed: the disk is full. Free some.\n"));
}

constexpr char kFittedText[] =
    "confidence         1 / (1 + exp(-(8 * score + 4.25 * structural_score - 9.5)))\n"
    "by the score alone 1 / (1 + exp(-(10 * score - 7)))\n"
    "fitted on          1,234 pairs\n"
    "fitted             2023-11-14 22:13:20Z\n"
    "patches compared   optimal transport, mass 0.6\n"
    "log loss           0.1250, on pairs left out of the fit\n"
    "calibration error  0.0200: how far confidence and truth lie apart there\n"
    "accuracy           0.9600, telling the same from another at 0.5\n";

TEST_F(EvidenceVerbsTest, ConfidenceIsFittedOnALabelOrOnPairs) {
  server_.SetOperationSteps({Pending(), Ended(Fitted())});
  EXPECT_EQ(RunWords({"confidence", "fit", "-c", "shop", "--label", "sku"}), kOk) << err_;
  EXPECT_THAT(out_, HasSubstr(kFittedText));
  EXPECT_EQ(server_.last_fit().label_attribute(), "sku");
  EXPECT_EQ(server_.last_fit().pairs_size(), 0);
  EXPECT_FALSE(server_.last_fit().has_rerank());

  const std::string pairs = File("pairs.csv", "first_id,second_id,same\na,b,true\n\"a,1\",c,false\n");
  server_.SetOperationSteps({Pending(), Ended(Fitted())});
  EXPECT_EQ(RunWords({"confidence", "fit", "-c", "shop", "--pairs", pairs, "--mass", "0.6"}), kOk) << err_;
  ASSERT_EQ(server_.last_fit().pairs_size(), 2);
  EXPECT_TRUE(server_.last_fit().pairs(0).same());
  EXPECT_EQ(server_.last_fit().pairs(1).first_id(), "a,1");
  EXPECT_EQ(server_.last_fit().rerank().mass(), 0.6);

  const std::string wrong = File("wrong.csv", "first_id,second_id,same\na,b,perhaps\n");
  EXPECT_EQ(RunWords({"confidence", "fit", "-c", "shop", "--pairs", wrong}), kError);
  EXPECT_EQ(err_, absl::StrCat("sightline: ", wrong, ", line 2: same is \"perhaps\". Write true or false.\n"));
  EXPECT_EQ(RunWords({"confidence", "fit", "-c", "shop", "--pairs", Path("absent.csv")}), kError);
}

TEST_F(EvidenceVerbsTest, ConfidenceIsShown) {
  EXPECT_EQ(RunWords({"confidence", "show", "-c", "shop"}), kNothingFound);
  EXPECT_THAT(err_, HasSubstr("the collection shop has no confidence. Fit one with \"sightline confidence fit\".\n"));
  server_.SetConfidence(Fitted());
  EXPECT_EQ(RunWords({"confidence", "show", "-c", "shop"}), kOk);
  EXPECT_EQ(out_, kFittedText);
  EXPECT_EQ(RunWords({"confidence", "show", "-c", "shop", "--json"}), kOk);
  EXPECT_THAT(out_, StartsWith(R"({"a":8,"b":4.25,"c":-9.5,"pairs":1234,)"));
  EXPECT_EQ(RunWords({"collections", "get", "shop"}), kOk);
  EXPECT_THAT(out_, HasSubstr("confidence         1 / (1 + exp(-(8 * score + 4.25"));
  EXPECT_EQ(RunWords({"confidence", "show", "-c", "nowhere"}), kError);
}

}  // namespace
}  // namespace sightline::cli
