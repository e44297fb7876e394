// `evaluate` from its words to its report, against a server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/run.h"
#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ServerEvaluationTest : public testing::StillCliTest {
 protected:
  ServerEvaluationTest() {
    for (const char* const name : {"q", "right", "junk", "other"}) {
      File(absl::StrCat(name, ".jpg"), name);
    }
    File("truth.csv", "query,image,relevance\nq.jpg,right.jpg,easy\nq.jpg,junk.jpg,junk\n");
    server_.AnswerSearches([](const v1::SearchRequest&) {
      v1::SearchResponse response;
      for (const char* const id : {"junk.jpg", "other.jpg", "right.jpg"}) {
        v1::SearchResult& result = *response.add_results();
        result.set_id(id);
        result.set_rank(response.results_size());
        result.set_score(1 - 0.1 * response.results_size());
      }
      return response;
    });
  }

  int Evaluate(std::vector<std::string> more) {
    std::vector<std::string> words = {"evaluate", folder_.Path("truth.csv"), "--images", folder_.path()};
    words.insert(words.end(), more.begin(), more.end());
    return RunWords(words);
  }

  static v1::Model Reranking() {
    v1::Model model;
    model.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    return model;
  }
};

TEST_F(ServerEvaluationTest, AShortlistIsLongerByWhatIsIgnored) {
  // By the junk and, for Hard, the easy image.
  ASSERT_EQ(Evaluate({"--rerank", "ot", "--shortlist", "2"}), kOk) << err_;
  EXPECT_EQ(server_.last_search().rerank().shortlist(), 4);
  // The same where it is the model that re-ranks, with a number or without.
  server_.SetModel(Reranking());
  ASSERT_EQ(Evaluate({"--shortlist", "2"}), kOk) << err_;
  EXPECT_EQ(server_.last_search().rerank().method(), v1::RerankOptions::METHOD_UNSPECIFIED);
  EXPECT_EQ(server_.last_search().rerank().shortlist(), 4);
  ASSERT_EQ(Evaluate({}), kOk) << err_;
  EXPECT_EQ(server_.last_search().rerank().shortlist(), 102);
  ASSERT_EQ(Evaluate({"--rerank", "off"}), kOk) << err_;
  EXPECT_EQ(server_.last_search().rerank().shortlist(), 0);
  for (const char* const wrong : {"0", "-5", "1001"}) {
    EXPECT_EQ(Evaluate({"--shortlist", wrong}), kUsage);
    EXPECT_THAT(err_, HasSubstr(absl::StrCat("--shortlist is ", wrong, "; it must be 1 to 1000.")));
  }
}

TEST_F(ServerEvaluationTest, AWayThatIsClosedIsLeftOutAndNoneIsAnError) {
  const absl::Status closed = base::FailedPrecondition("NO_TOKENS", "the collection has no tokens. Make one with.");
  server_.FailSearches({closed});
  ASSERT_EQ(Evaluate({"--compare"}), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("\"plain\" was left out: the query q.jpg: the collection has no tokens."));
  EXPECT_THAT(out_, Not(HasSubstr("plain")));
  server_.FailSearches({closed, closed, closed, closed});
  EXPECT_EQ(Evaluate({"--compare"}), kError);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("sightline: the query q.jpg: the collection has no tokens. Make one with."));
}

TEST_F(ServerEvaluationTest, PicturesThatCouldNotBeIndexedAreNoted) {
  server_.FailNext("right.jpg", {base::InvalidArgument("IMAGE_UNREADABLE", "it is no picture. Send one.")});
  EXPECT_EQ(Evaluate({}), kPartial);
  EXPECT_THAT(err_, HasSubstr("note: 1 of the pictures could not be indexed"));
}

TEST_F(ServerEvaluationTest, TheReportSaysWhatAThresholdLeaves) {
  ASSERT_EQ(Evaluate({}), kOk) << err_;
  // Junk apart: a wrong one of 0.8 and the right one of 0.7.
  EXPECT_THAT(out_, HasSubstr("min_score  answered  first right  precision  recall\n"
                              "     0.70    100.00         0.00      50.00  100.00\n"));
}

}  // namespace
}  // namespace sightline::cli
