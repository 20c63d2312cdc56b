// A user's program: it goes through the service with the client that openapi-generator makes for Go. URL and TOKEN, an
// admin's, come from the environment.
package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"

	ticketing "github.com/acme/ticketing"
)

const noTicket = 1<<53 - 1

var ctx = context.Background()

func main() {
	api := signIn(os.Getenv("TOKEN"))
	me := got(api.MeAPI.GetMe(ctx).Execute())
	must(me.User.Role == "admin", "an admin's token is needed")
	cursor := got(api.EventsAPI.ListEvents(ctx).Start("end").Execute()).Next

	key := "go-" + random()
	project := ticketing.NewProjectCreate(key, "Serwer mediów")
	must(got(api.ProjectsAPI.CreateProject(ctx).ProjectCreate(*project).Execute()).Key == key, "project")

	numbers := openTickets(api, key)
	change(api, numbers[0])
	discuss(api, numbers[0])
	pageThrough(api, key, numbers)
	follow(api, cursor, numbers[0])
	listen(api, cursor, numbers[0])
	beCalled(api)
	beRefused(api, key)
}

func signIn(token string) *ticketing.APIClient {
	configuration := ticketing.NewConfiguration()
	configuration.Servers = ticketing.ServerConfigurations{{URL: os.Getenv("URL") + "/api/v1"}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+token)
	return ticketing.NewAPIClient(configuration)
}

func random() string {
	bytes := make([]byte, 4)
	_, err := rand.Read(bytes)
	must(err == nil, err)
	return hex.EncodeToString(bytes)
}

func must(holds bool, message any) {
	if !holds {
		panic(message)
	}
}

func got[T any](answer T, _ *http.Response, err error) T {
	must(err == nil, err)
	return answer
}

// The problem that a call is refused with, typed.
func refused[T any](status int32, code string) func(T, *http.Response, error) ticketing.Problem {
	return func(_ T, _ *http.Response, err error) ticketing.Problem {
		var refusal *ticketing.GenericOpenAPIError
		must(errors.As(err, &refusal), fmt.Sprintf("not refused with %d, but %v", status, err))
		problem, typed := refusal.Model().(ticketing.Problem)
		must(typed && problem.Status == status && problem.Code == code, refusal.Error())
		return problem
	}
}

func openTickets(api *ticketing.APIClient, project string) []int64 {
	bug := *ticketing.NewTicketCreate(ticketing.TICKETTYPE_BUG, project, "Napisy 🎬", "Uciekają.")
	create := api.TicketsAPI.CreateTicket(ctx).TicketCreate(bug).IdempotencyKey(random())
	first := got(create.Execute())
	again, response, err := create.Execute()
	must(err == nil && again.Number == first.Number, err)
	must(response.Header.Get("Idempotent-Replayed") == "true", "not replayed")
	numbers := []int64{first.Number}
	for _, kind := range []ticketing.TicketType{ticketing.TICKETTYPE_SUPPORT, ticketing.TICKETTYPE_FEATURE_REQUEST} {
		ticket := *ticketing.NewTicketCreate(kind, project, string(kind), "")
		numbers = append(numbers, got(api.TicketsAPI.CreateTicket(ctx).TicketCreate(ticket).Execute()).Number)
	}
	return numbers
}

func change(api *ticketing.APIClient, number int64) {
	version := got(api.TicketsAPI.GetTicket(ctx, number).Execute()).Version
	urgent := ticketing.NewTicketPatch()
	urgent.SetPriority(ticketing.TICKETPRIORITY_URGENT)
	after := got(api.TicketsAPI.UpdateTicket(ctx, number).TicketPatch(*urgent).IfMatch(version).Execute())
	must(after.Priority == ticketing.TICKETPRIORITY_URGENT && after.Version != version, after)
	late := ticketing.NewTicketPatch()
	late.SetTitle("Za późno")
	stale := api.TicketsAPI.UpdateTicket(ctx, number).TicketPatch(*late).IfMatch(version)
	refused[*ticketing.Ticket](412, "precondition_failed")(stale.Execute())
}

func discuss(api *ticketing.APIClient, number int64) {
	body := ticketing.NewCommentCreate("Tylko pod Waylandem.")
	body.SetVisibility(ticketing.COMMENTVISIBILITY_INTERNAL)
	comment := got(api.CommentsAPI.CreateComment(ctx, number).CommentCreate(*body).Execute())
	comments := got(api.CommentsAPI.ListComments(ctx, number).Execute()).Items
	must(len(comments) == 1 && comments[0].Id == comment.Id && *comments[0].Body.Get() == body.Body, comments)
}

func pageThrough(api *ticketing.APIClient, project string, numbers []int64) {
	seen := []int64{}
	list := api.TicketsAPI.ListTickets(ctx).Project([]string{project}).Sort("created").Limit(2)
	for {
		page := got(list.Execute())
		for _, ticket := range page.Items {
			seen = append(seen, ticket.Number)
		}
		if !page.Next.IsSet() || page.Next.Get() == nil {
			break
		}
		list = list.Cursor(*page.Next.Get())
	}
	must(fmt.Sprint(seen) == fmt.Sprint(numbers), seen)
}

func isAbout(event ticketing.Event, number int64) bool {
	return event.TicketEvent != nil && event.TicketEvent.TicketNumber.IsSet() &&
		*event.TicketEvent.TicketNumber.Get() == number
}

// The event is the ticket's first, and its data a ticket.
func told(event ticketing.Event, number int64) {
	must(event.TicketEvent.Type == "ticket.created", event.TicketEvent)
	must(event.TicketEvent.Data.Get().Number == number, event.TicketEvent)
}

func follow(api *ticketing.APIClient, cursor string, number int64) {
	for {
		page := got(api.EventsAPI.ListEvents(ctx).Cursor(cursor).Limit(3).Execute())
		for _, event := range page.Items {
			if isAbout(event, number) {
				told(event, number)
				return
			}
		}
		cursor = page.Next
	}
}

// The generated method would read the whole stream, which never ends. So the request is our own, with a pass.
func listen(api *ticketing.APIClient, cursor string, number int64) {
	pass := got(api.EventsAPI.CreateStreamPass(ctx).Execute())
	query := url.Values{"pass": {pass.Pass}, "cursor": {cursor}}
	response, err := http.Get(os.Getenv("URL") + "/api/v1/events/stream?" + query.Encode())
	must(err == nil, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 10_000_000)
	for lines.Scan() {
		if data, found := strings.CutPrefix(lines.Text(), "data:"); found {
			var event ticketing.Event
			must(json.Unmarshal([]byte(data), &event) == nil, data)
			if isAbout(event, number) {
				told(event, number)
				return
			}
		}
	}
	panic("the stream ended")
}

type message struct {
	header http.Header
	body   []byte
}

// A ping arrives at a server of our own, is signed, and is an event.
func beCalled(api *ticketing.APIClient) {
	received := make(chan message, 1)
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		received <- message{request.Header, body}
		response.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	create := *ticketing.NewWebhookEndpointCreate(server.URL)
	endpoint := got(api.WebhooksAPI.CreateWebhookEndpoint(ctx).WebhookEndpointCreate(create).Execute())
	got(api.WebhooksAPI.PingWebhookEndpoint(ctx, endpoint.Id).Execute())
	select {
	case told := <-received:
		verify(endpoint.Secret, told)
		var event ticketing.Event
		must(json.Unmarshal(told.body, &event) == nil, string(told.body))
		must(event.WebhookEvent.Type == "webhook.pinged", event.WebhookEvent)
	case <-time.After(30 * time.Second):
		panic("no message")
	}
	_, err := api.WebhooksAPI.DeleteWebhookEndpoint(ctx, endpoint.Id).Execute()
	must(err == nil, err)
}

// As Standard Webhooks 1.0 says: HMAC-SHA256 of id, timestamp and body.
func verify(secret string, told message) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	must(err == nil, err)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", told.header.Get("Webhook-Id"), told.header.Get("Webhook-Timestamp"), told.body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, each := range strings.Fields(told.header.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(each), []byte(expected)) {
			return
		}
	}
	panic("no signature is right")
}

func beRefused(api *ticketing.APIClient, project string) {
	list := api.TicketsAPI.ListTickets(ctx).Cursor("nonsense")
	refused[*ticketing.TicketPage](400, "invalid_cursor")(list.Execute())
	refused[*ticketing.Me](401, "unauthenticated")(signIn("nonsense").MeAPI.GetMe(ctx).Execute())

	reader := *ticketing.NewTokenCreate("Czytanie", []ticketing.Scope{ticketing.SCOPE_TICKETS_READ})
	token := got(api.TokensAPI.CreateToken(ctx).TokenCreate(reader).Execute()).Token
	again := *ticketing.NewProjectCreate(project, "Znowu")
	unscoped := signIn(token).ProjectsAPI.CreateProject(ctx).ProjectCreate(again)
	refused[*ticketing.Project](403, "insufficient_scope")(unscoped.Execute())
	refused[*ticketing.Ticket](404, "not_found")(api.TicketsAPI.GetTicket(ctx, noTicket).Execute())
	refused[*ticketing.Project](409, "already_exists")(api.ProjectsAPI.CreateProject(ctx).ProjectCreate(again).Execute())

	blank := *ticketing.NewTicketCreate(ticketing.TICKETTYPE_SUPPORT, project, " ", "")
	invalid := api.TicketsAPI.CreateTicket(ctx).TicketCreate(blank)
	problem := refused[*ticketing.Ticket](422, "validation_failed")(invalid.Execute())
	must(len(problem.Errors) == 1 && problem.Errors[0].GetPointer() == "#/title", problem.Errors)
}
