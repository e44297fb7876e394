// The confidence that a collection keeps: it survives a restart, belongs to one embedding space, and is never worth the
// collection.
#include <gtest/gtest.h>

#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/small_codec.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

using ConfidenceStoreTest = IndexTest;

FittedConfidence SomeConfidence() {
  FittedConfidence confidence;
  confidence.fit.model = {.a = 1.5, .b = 2.5, .c = -3, .score_only_a = 4, .score_only_c = -2};
  confidence.fit.pairs = 77;
  confidence.fit.log_loss = 0.25;
  confidence.fit.expected_error = 0.03;
  confidence.fit.accuracy = 0.9;
  confidence.transport.mass = 0.6;
  confidence.transport.marginals = rerank::Marginals::kMinus;
  confidence.transport.query_cells = 64;
  confidence.fit_time = absl::FromUnixSeconds(1'700'000'000);
  return confidence;
}

void ExpectSame(const FittedConfidence& actual, const FittedConfidence& expected) {
  EXPECT_EQ(actual.fit.model, expected.fit.model);
  EXPECT_EQ(actual.fit.pairs, expected.fit.pairs);
  EXPECT_EQ(actual.fit.log_loss, expected.fit.log_loss);
  EXPECT_EQ(actual.fit.expected_error, expected.fit.expected_error);
  EXPECT_EQ(actual.fit.accuracy, expected.fit.accuracy);
  EXPECT_EQ(actual.transport.mass, expected.transport.mass);
  EXPECT_EQ(actual.transport.epsilon, expected.transport.epsilon);
  EXPECT_EQ(actual.transport.marginals, expected.transport.marginals);
  EXPECT_EQ(actual.transport.query_cells, expected.transport.query_cells);
  EXPECT_EQ(actual.fit_time, expected.fit_time);
}

TEST_F(ConfidenceStoreTest, SurvivesARestartAndIsReplaced) {
  Start();
  EXPECT_FALSE(collection_->Confidence());
  ASSERT_TRUE(collection_->SetConfidence(SomeConfidence()).ok());
  ASSERT_TRUE(collection_->Confidence());
  Restart();
  ASSERT_TRUE(collection_->Confidence());
  ExpectSame(*collection_->Confidence(), SomeConfidence());
  FittedConfidence next = SomeConfidence();
  next.fit.model.b = 0;
  ASSERT_TRUE(collection_->SetConfidence(next).ok());
  Restart();
  EXPECT_EQ(collection_->Confidence()->fit.model.b, 0);
}

TEST_F(ConfidenceStoreTest, ADeletedCollectionTakesNone) {
  Start();
  ASSERT_TRUE(database_->Delete("shop").ok());
  EXPECT_EQ(collection_->SetConfidence(SomeConfidence()).code(), absl::StatusCode::kNotFound);
}

TEST(ConfidenceCodecTest, RefusesNumbersThatMeanNothing) {
  std::string value = EncodeConfidence(kConfidenceKey, SomeConfidence());
  // The marginals stand behind the format and 13 numbers of 8 bytes.
  constexpr size_t kMarginals = 1 + 13 * 8;
  ASSERT_EQ(value[kMarginals], static_cast<char>(rerank::Marginals::kMinus));
  value.resize(value.size() - 4);
  value[kMarginals] = 6;
  SealValue(kConfidenceKey, &value);
  EXPECT_EQ(DecodeConfidence(kConfidenceKey, value).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace sightline::index
