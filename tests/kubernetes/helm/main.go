// Renders a chart as `helm template` does, for tests where Helm is not installed.
//
//	GOPATH=/usr/share/gocode GO111MODULE=off go run main.go CHART RELEASE [numbers] < VALUES
//
// VALUES are all values, merged, as JSON. The functions are those of sprig, and include, toYaml and fail.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func toYaml(value interface{}) (string, error) {
	text, err := yaml.Marshal(value)
	return strings.TrimSuffix(string(text), "\n"), err
}

// values returns the values. Versions of Helm differ: numbers are float64, or json.Number with a third argument.
func values() (found map[string]interface{}) {
	decoder := json.NewDecoder(os.Stdin)
	if len(os.Args) > 3 {
		decoder.UseNumber()
	}
	check(decoder.Decode(&found))
	return
}

// about returns Chart.yaml with the names that templates use: `appVersion` becomes `AppVersion`.
func about(chart string) map[string]interface{} {
	text, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	check(err)
	var fields map[string]interface{}
	check(yaml.Unmarshal(text, &fields))
	for name, value := range fields {
		fields[strings.ToUpper(name[:1])+name[1:]] = value
	}
	return fields
}

func main() {
	chart, release := os.Args[1], os.Args[2]
	all := template.New("").Option("missingkey=zero").Funcs(sprig.TxtFuncMap())
	all.Funcs(template.FuncMap{
		"toYaml": toYaml,
		"fail":   func(message string) (string, error) { return "", errors.New(message) },
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
	})
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		_, err = all.New(file).Parse(string(text))
		check(err)
	}
	data := map[string]interface{}{
		"Values":  values(),
		"Chart":   about(chart),
		"Release": map[string]string{"Name": release, "Namespace": "default", "Service": "Helm"},
	}
	for _, file := range files {
		var out bytes.Buffer
		check(all.ExecuteTemplate(&out, file, data))
		for _, document := range strings.Split("\n"+out.String(), "\n---\n") {
			if strings.TrimSpace(document) != "" {
				fmt.Printf("---\n# Source: emotions/templates/%s\n%s\n", filepath.Base(file), strings.TrimSpace(document))
			}
		}
	}
}
