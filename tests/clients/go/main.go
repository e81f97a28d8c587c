// Asks for the refund of an order: ask ADDRESS ACCOUNT ORDER REQUEST_ID TRACEPARENT
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	makegood "example.com/ask/makegood/v1"
)

//go:embed service_config.json
var serviceConfig string

func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

func main() {
	address, account, order, requestID, trace := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	// gRPC itself sends the same question again, by the service config; the deadline is for all attempts together.
	channel, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		panic(err)
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", trace)
	var headers metadata.MD
	answer, err := makegood.NewRefundServiceClient(channel).EvaluateRequest(ctx, &makegood.EvaluateRequestRequest{
		RequestId: requestID, // made once, when the customer asked, and kept with the question
		AccountId: account,
		Claim:     makegood.Claim_CLAIM_CREDITS_NOT_DELIVERED,
		Purchase: &makegood.PurchaseReference{
			Reference: &makegood.PurchaseReference_OrderId{OrderId: order},
		},
	}, grpc.Header(&headers))
	if err != nil {
		fmt.Printf("refused: %s: %s\n", reasonOf(err), status.Convert(err).Message())
		return
	}
	again := ""
	if len(headers.Get("idempotency-replayed")) > 0 {
		again = " (as before)"
	}
	decision := answer.Decision
	fmt.Printf("%s by row %s%s: %s\n", decision.Outcome, decision.Row, again, decision.Sentence)
}
